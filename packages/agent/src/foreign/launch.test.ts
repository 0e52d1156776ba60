import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import type { Environment } from '../tools/environment.ts'
import { createLaunches } from './launch.ts'

const PATH = process.env['PATH'] ?? ''
const OUTPUT = 'console.log(JSON.stringify({ cwd: process.cwd(), env: process.env }))'

/** A home with a program in it, and a repository whose directory `app` is a workspace; each way into it is there. */
async function startPlace() {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'qmt-launch-')))
  const [home, repository] = [join(base, 'home'), join(base, 'my repository')]
  const [workspace, bin] = [join(repository, 'app'), join(home, 'bin')]
  for (const directory of [bin, join(repository, '.git'), join(repository, 'tools'), workspace]) await mkdir(directory, { recursive: true })
  await symlink(workspace, join(base, 'link'))
  const program = async (...at: string[]): Promise<string> => {
    const path = join(...at)
    await writeFile(path, '#!/bin/sh\necho "$0"\n')
    await chmod(path, 0o755)
    return path
  }
  const start = async ({ env, command, workspaces = [] }: { env?: Environment; command?: string[]; workspaces?: string[] }) => {
    const agent = { id: 'coder', command: command ?? [process.execPath, '-e', OUTPUT], idleMs: 1 }
    const launches = createLaunches(
      { agents: [agent], env: { PATH, HOME: home, ...env } },
      { directory: join(home, '.qmt'), workspaces, home },
    )
    return await launches.of(agent, workspace)
  }
  return {
    base,
    home,
    repository,
    workspace,
    bin,
    program,
    start,
    run: async (options: Parameters<typeof start>[0]) => {
      const { command, cwd, env } = await start(options)
      const [file = '', ...args] = command
      return (await promisify(execFile)(file, args, { cwd, env })).stdout.trim()
    },
    [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }),
  }
}

test('no variable that leads into a workspace, or into the repository around it, reaches an agent', async () => {
  await using place = await startPlace()
  const { base, workspace, repository } = place
  const leading = {
    NODE_OPTIONS: `--require=${workspace}/hook.cjs`,
    NODE_PATH: `/usr/lib/node${delimiter}${workspace}/lib`,
    BASH_ENV: `${base}/link/new.sh`,
    PYTHONSTARTUP: './start.py',
    LD_PRELOAD: `/usr/lib/one.so ${repository}/tools/two.so`,
    SOME_TOOL_CONFIG: `{"file": "${workspace}/config.json"}`,
    PYTHONPATH: '..',
    npm_config_registry: 'https://packages.example',
    NPM_CONFIG_USERCONFIG: '/elsewhere/npmrc',
    npm_lifecycle_event: 'start',
    INIT_CWD: workspace,
    PROJECT_CWD: repository,
    OLDPWD: workspace,
    PWD: workspace,
    QMT_HOME: '/elsewhere',
  }
  const kept = { ANTHROPIC_API_KEY: 'a key', LANG: 'C.UTF-8', HTTPS_PROXY: 'http://proxy.example:3128', NVM_DIR: join(place.home, '.nvm') }
  const { cwd, env } = JSON.parse(await place.run({ env: { ...leading, ...kept } })) as { cwd: string; env: Record<string, string> }
  assert.equal(cwd, join(place.home, '.qmt', 'coder'))
  for (const name of Object.keys(leading)) assert.equal(env[name], name === 'PWD' ? cwd : undefined, name)
  for (const [name, value] of Object.entries(kept)) assert.equal(env[name], value, name)
})

test('an agent is found by absolute entries of PATH outside of workspaces, when the node starts', async () => {
  await using place = await startPlace()
  const { base, workspace, repository, bin } = place
  for (const directory of [workspace, join(repository, 'tools')]) await place.program(directory, 'coder-acp')
  await symlink(join(workspace, 'coder-acp'), join(base, 'coder-acp'))
  const leading = ['.', '', 'bin', workspace, join(base, 'link'), join(repository, 'tools'), base]
  const command = ['coder-acp', 'serve']
  const searched = { command, env: { PATH: [...leading, bin, '/usr/bin', '/bin'].join(delimiter) }, workspaces: [workspace] }
  await assert.rejects(place.run(searched), /agent coder cannot be started: there is no command coder-acp in PATH/)
  const installed = await place.program(bin, 'coder-acp')
  assert.equal(await place.run(searched), installed)
  const { env } = await place.start(searched)
  assert.equal(env['PATH'], [base, bin, '/usr/bin', '/bin'].join(delimiter))
})

test('an agent whose program or script lies in the workspace of its session is not started', async () => {
  await using place = await startPlace()
  const { base, workspace } = place
  const inside = await place.program(workspace, 'own')
  await symlink(inside, join(base, 'own'))
  const commands = [[inside], [join(base, 'link', 'own')], [join(base, 'own')], ['sh', inside], ['sh', `--file=${join(base, 'own')}`]]
  for (const command of commands) await assert.rejects(place.run({ command }), /lies in a workspace, where a session could change it/)
  await assert.rejects(place.run({ command: ['own'], env: { PATH: `${base}${delimiter}${PATH}` } }), /lies in a workspace/)
  await assert.rejects(place.run({ command: ['./own'] }), /depends on the directory it is started in/)
  assert.equal(await place.run({ command: ['/bin/echo', workspace] }), workspace)
})

test('a package manager finds no configuration of a workspace, also if qmtcode was started by it there', async () => {
  await using place = await startPlace()
  await writeFile(join(place.workspace, '.npmrc'), 'registry=https://packages.example/\n')
  await writeFile(join(place.workspace, 'package.json'), '{ "name": "theirs" }')
  const command = ['npm', 'config', 'get', 'registry', '--offline']
  const there = { cwd: place.workspace, env: { PATH, HOME: place.home } }
  const [program = '', ...args] = command
  assert.match((await promisify(execFile)(program, args, there)).stdout, /packages\.example/)
  const inherited = {
    npm_config_registry: 'https://packages.example/',
    npm_config_local_prefix: place.workspace,
    INIT_CWD: place.workspace,
  }
  assert.doesNotMatch(await place.run({ command, env: inherited }), /packages\.example/)
})

test('a workspace that holds the home directory takes no program away', async () => {
  await using place = await startPlace()
  const installed = await place.program(place.bin, 'coder-acp')
  const agent = { id: 'coder', command: ['coder-acp'], idleMs: 1 }
  const env = { PATH: `${place.bin}${delimiter}${PATH}`, HOME: place.home }
  const options = { directory: join(place.home, '.qmt'), workspaces: [place.home, place.base], home: place.home }
  assert.deepEqual((await createLaunches({ agents: [agent], env }, options).of(agent, place.home)).command, [installed])
})
