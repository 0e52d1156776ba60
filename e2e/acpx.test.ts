// A client that is not ours and not the SDK's: acpx from npm. Not among our dependencies, since it brings 40 packages: fetched when this runs.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { BIN } from './support/acp-process.ts'
import { createMachine } from './support/qmt.ts'
import type { Machine } from './support/qmt.ts'
import { shareWorkspace } from './support/shared-workspace.ts'

const ACPX = 'acpx@0.19.1'
const run = promisify(execFile)

/** The user's own npm settings and certificates: a machine of the tests has a home of its own. */
const npmEnv = {
  npm_config_fetch_retries: '1',
  npm_config_cache: process.env['npm_config_cache'] ?? join(homedir(), '.npm'),
  npm_config_userconfig: process.env['npm_config_userconfig'] ?? join(homedir(), '.npmrc'),
}

async function acpx(machine: Machine, ...args: string[]): Promise<string> {
  const options = { cwd: machine.workspace, env: { ...process.env, ...machine.env, ...npmEnv }, timeout: 120_000, maxBuffer: 16_000_000 }
  const running = run('npx', ['--yes', ACPX, ...args], options)
  running.child.stdin?.end()
  return (await running).stdout
}

const agent = `"${process.execPath}" "${BIN}" --acp`

/** Runs a prompt by `--format json`, all permissions given: the messages of both sides. */
async function exec(machine: Machine, agentCommand: string, prompt: string): Promise<Message[]> {
  const how = ['--cwd', machine.workspace, '--approve-all', '--format', 'json', '--agent', agentCommand]
  const wire = await acpx(machine, ...how, 'exec', prompt)
  const messages = wire.trimEnd().split('\n')
  return messages.map((line) => JSON.parse(line) as Message)
}
interface Message {
  method?: string
  result?: { stopReason?: string }
}

/** Why it cannot be tried here; undefined where it can. */
async function missing(machine: Machine): Promise<string | undefined> {
  try {
    await acpx(machine, '--version')
    return undefined
  } catch (error) {
    return `${ACPX} cannot be had from the npm registry here: ${String(error).slice(0, 300)}`
  }
}

test('acpx runs a prompt, answers the permission, and gets the end', async (t) => {
  await using machine = await createMachine()
  await machine.writeConfig('[agent]\nprovider = "builtin"\nmodel = "demo"\n')
  const why = await missing(machine)
  if (why !== undefined) return t.skip(why)
  const messages = await exec(machine, agent, 'create b.txt with hi')
  assert.equal(await readFile(join(machine.workspace, 'b.txt'), 'utf8'), 'hi\n')
  assert.ok(messages.some(({ method }) => method === 'session/request_permission'))
  assert.equal(messages.at(-1)?.result?.stopReason, 'end_turn')
})

test('acpx runs a prompt on another node', async (t) => {
  await using pair = await shareWorkspace()
  const why = await missing(pair.laptop)
  if (why !== undefined) return t.skip(why)
  const messages = await exec(pair.laptop, `${agent} --node gpu-server`, 'create b.txt with hi')
  assert.equal(await readFile(join(pair.server.workspace, 'b.txt'), 'utf8'), 'hi\n')
  assert.equal(messages.at(-1)?.result?.stopReason, 'end_turn')
})
