// Agents of other makers as they are, with a scripted model. On demand, since each is hundreds of megabytes:
//   QMT_FOREIGN=1 node scripts/test.ts foreign-real
// QMT_FOREIGN_BIN names a directory with their commands, else npm installs them below the system's temporary directory, and finds them there again.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { before, suite, test } from 'node:test'
import { promisify } from 'node:util'
import { startScriptedLlm } from '@qmtcode/testing'
import type { Handler } from '@qmtcode/testing'
import { eventsOf, eventsOfType } from './support/output.ts'
import { createMachine } from './support/qmt.ts'
import type { Machine } from './support/qmt.ts'

const isWanted = process.env['QMT_FOREIGN'] === '1'
const installed = join(tmpdir(), 'qmtcode-foreign-agents')
const bin = process.env['QMT_FOREIGN_BIN'] ?? join(installed, 'node_modules', '.bin')
const path = [bin, process.env['PATH']].join(delimiter)

/** By npm as its user has it configured: the machines of the tests have homes of their own. Throws with npm's own last words. */
async function install(): Promise<void> {
  const specs = Object.values(AGENTS).map(({ spec }) => spec)
  await mkdir(installed, { recursive: true })
  try {
    await promisify(execFile)('npm', ['install', '--no-audit', '--no-fund', '--prefix', installed, ...specs], { timeout: 200_000 })
  } catch (error) {
    const { stderr = '', message } = error as { stderr?: string; message: string }
    const said = stderr.split('\n').filter((line) => line.startsWith('npm error'))
    throw new Error(`npm could not install ${specs.join(' and ')} into ${installed}: ${said.join('; ') || message}`, { cause: error })
  }
}

interface Made {
  /** On npm. */
  spec: string
  acp: string[]
  /** One that it offers with this configuration. */
  model: string
  prepare?(machine: Machine, url: string): Promise<void>
  env(url: string): Record<string, string>
}

const AGENTS: Record<string, Made> = {
  opencode: {
    spec: 'opencode-ai',
    acp: ['opencode', 'acp'],
    model: 'rack/scripted',
    env: () => ({ OPENCODE_DISABLE_MODELS_FETCH: '1' }),
    prepare: async (machine, url) => {
      const provider = {
        rack: { npm: '@ai-sdk/openai-compatible', name: 'rack', options: { baseURL: url, apiKey: 'x' }, models: { scripted: {} } },
      }
      const config = { model: 'rack/scripted', small_model: 'rack/scripted', provider, permission: { bash: 'ask', edit: 'ask' } }
      await writeFile(join(machine.workspace, 'opencode.json'), JSON.stringify(config))
    },
  },
  'claude-agent-acp': {
    spec: '@agentclientprotocol/claude-agent-acp',
    acp: ['claude-agent-acp'],
    model: 'opus',
    // Else it may decide by itself what needs no question.
    prepare: async ({ env }) => {
      const settings = join(env['HOME'] ?? '', '.claude')
      await mkdir(settings)
      await writeFile(join(settings, 'settings.json'), '{"permissions":{"defaultMode":"default"}}')
    },
    env: (url) => ({ ANTHROPIC_BASE_URL: url.replace(/\/v1$/, ''), ANTHROPIC_API_KEY: 'x', IS_SANDBOX: '1' }),
  },
}

/** One command, then an answer; side questions, such as for a title, have no tools. */
const script: Handler = ({ messages = [], tools = [] }) => {
  const shell = tools.map((tool) => nameOf(tool)).find((name) => /^bash$/i.test(name))
  if (shell === undefined) return [{ text: 'A title' }]
  const isAnswered = /tool_result|"role":"tool"/.test(JSON.stringify(messages))
  if (isAnswered) return [{ text: 'all done' }]
  return [{ tool: shell, input: { command: 'echo tangerine > ran.txt', description: 'writes a file' } }]
}

const nameOf = (tool: unknown): string => {
  const { name, function: inner } = tool as { name?: string; function?: { name: string } }
  return name ?? inner?.name ?? ''
}

before(async () => {
  if (!isWanted) return
  const missing = Object.values(AGENTS).filter(({ acp: [command = ''] }) => !existsSync(join(bin, command)))
  if (missing.length > 0 && process.env['QMT_FOREIGN_BIN'] !== undefined) {
    throw new Error(`QMT_FOREIGN_BIN=${bin} lacks ${missing.map(({ acp }) => acp[0]).join(', ')}`)
  }
  if (missing.length > 0) await install()
})

// Beside each other: each waits long for its own maker, whom it cannot reach. Not skipped, since a skip fails where all is run.
suite('agents of other makers', { concurrency: true }, () => {
  for (const [id, made] of isWanted ? Object.entries(AGENTS) : []) {
    test(`${id}: lists its models, answers, asks before it runs a command, and remembers`, { timeout: 280_000 }, async () => {
      await using llm = await startScriptedLlm(script)
      await using machine = await createMachine({ ...made.env(llm.url), PATH: path })
      await made.prepare?.(machine, llm.url)
      await machine.writeConfig(`[[agents]]\nid = "${id}"\nacp = ${JSON.stringify(made.acp)}\n`)
      const listed = await machine.run(['models', '--json'])
      const models = (JSON.parse(listed.stdout) as { agent?: string; model: string }[]).filter(({ agent }) => agent === id)
      assert.ok(
        models.some(({ model }) => model === made.model),
        listed.stdout + listed.stderr,
      )
      const denied = await machine.run(['run', '--agent', id, '--json', 'make the file'])
      const events = eventsOf(denied.stdout)
      const [asked] = eventsOfType(events, 'permission.requested')
      assert.deepEqual(asked?.needs, ['shell'], denied.stdout + denied.stderr)
      const model = `${id}/${made.model}`
      const allowed = await machine.run(['run', '--agent', id, '--model', model, '--json', '--allow', 'shell', 'make the file'])
      assert.equal(allowed.code, 0, allowed.stdout + allowed.stderr)
      const more = eventsOf(allowed.stdout)
      assert.match(eventsOfType(more, 'message.completed').at(-1)?.text ?? '', /all done/, allowed.stdout)
      assert.equal(await readFile(join(machine.workspace, 'ran.txt'), 'utf8'), 'tangerine\n')
      assert.equal(eventsOfType(more, 'route.chosen')[0]?.model, model)
      const session = more[0]?.sessionId ?? ''
      const again = await machine.run(['run', '--session', session, '--json', 'and again'])
      assert.equal(again.code, 0, again.stdout + again.stderr)
      const ids = [more, eventsOf(again.stdout)].map((part) => eventsOfType(part, 'route.chosen')[0]?.foreignSessionId)
      assert.equal(ids[0], ids[1])
    })
  }
})
