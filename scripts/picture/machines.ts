import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { writeWorkspace } from '../../examples/demo/workspace.ts'
import { openTerminal } from './terminal.ts'
import type { Terminal } from './terminal.ts'

const BIN = fileURLToPath(new URL('../../packages/cli/bin/qmtcode.js', import.meta.url))

/** A machine of a picture, with a person at it. */
interface Machine {
  open(name: string, size: { columns: number; rows: number }): Terminal
}

export interface Stage extends AsyncDisposable {
  server: Machine
  laptop: Machine
  /** What the pictures show instead of the directories and the user of this run. */
  shown(line: string): string
}

/** Two homes on loopback: alice's gpu-server, which shares agent and workspace, and bob's laptop, which knows nobody yet. */
export async function createStage(): Promise<Stage> {
  const root = await mkdtemp(join(tmpdir(), 'qmt-picture-'))
  await mkdir(join(root, 'bin'))
  await symlink(BIN, join(root, 'bin', 'qmtcode'))
  const greet = join(root, 'alice', 'greet')
  await mkdir(greet, { recursive: true })
  await writeWorkspace(greet)
  await mkdir(join(root, 'bob', 'notes'), { recursive: true })
  await writeConfig(join(root, 'alice'), `${MESH}node_name = "gpu-server"\n${SHARE}workspaces = ["${greet}"]\n${MODEL}`)
  await writeConfig(join(root, 'bob'), `${MESH}node_name = "laptop"\n`)
  const machine = (user: string, directory: string): Machine => ({
    open: (name, size) => openTerminal(name, { ...size, cwd: join(root, user, directory), env: environment(root, user) }),
  })
  return {
    server: machine('alice', 'greet'),
    laptop: machine('bob', 'notes'),
    shown: (line) =>
      line.replaceAll(root, '/home').replaceAll(`${userInfo().username}@`, 'alice@').replace(`by ${userInfo().username}`, 'by alice'),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }),
  }
}

const MESH = `[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
`
const SHARE = `[mesh.share]
agents = ["*"]
shell = "ask"
`
const MODEL = `[agent]
provider = "builtin"
model = "demo"
`

async function writeConfig(home: string, toml: string): Promise<void> {
  await mkdir(join(home, '.qmt'), { mode: 0o700 })
  await writeFile(join(home, '.qmt', 'config.toml'), toml)
}

function environment(root: string, user: string): Record<string, string> {
  return {
    PATH: `${join(root, 'bin')}:${process.env['PATH'] ?? ''}`,
    HOME: join(root, user),
    QMT_HOME: join(root, user, '.qmt'),
    USER: user,
    LOGNAME: user,
    LANG: 'C.UTF-8',
  }
}
