// Agents of other makers as they are, with a scripted model. On demand, since each is hundreds of megabytes:
//   QMT_FOREIGN=1 node scripts/test.ts foreign-real
// QMT_FOREIGN_BIN names a directory with their commands, else npx fetches them.
import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { test } from 'node:test'
import { startScriptedLlm } from '@qmtcode/testing'
import type { Handler } from '@qmtcode/testing'
import { eventsOf, eventsOfType } from './support/output.ts'
import { createMachine } from './support/qmt.ts'
import type { Machine } from './support/qmt.ts'

const bin = process.env['QMT_FOREIGN_BIN']
const isWanted = process.env['QMT_FOREIGN'] === '1'
const command = (name: string, spec: string, ...args: string[]): string =>
  JSON.stringify([...(bin ? [name] : ['npx', '-y', spec]), ...args])
const path = [bin, process.env['PATH']].filter((part) => part !== undefined).join(delimiter)

interface Made {
  table: string
  prepare?(machine: Machine, url: string): Promise<void>
  env(url: string): Record<string, string>
}

const AGENTS: Record<string, Made> = {
  opencode: {
    table: `[[agents]]\nid = "opencode"\nacp = ${command('opencode', 'opencode-ai', 'acp')}\n`,
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
    table: `[[agents]]\nid = "claude-agent-acp"\nacp = ${command('claude-agent-acp', '@agentclientprotocol/claude-agent-acp')}\n`,
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

for (const [id, made] of isWanted ? Object.entries(AGENTS) : []) {
  test(`${id}: answers, asks before it runs a command, and remembers`, { timeout: 280_000 }, async () => {
    await using llm = await startScriptedLlm(script)
    await using machine = await createMachine({ ...made.env(llm.url), PATH: path })
    await made.prepare?.(machine, llm.url)
    await machine.writeConfig(made.table)
    const denied = await machine.run(['run', '--agent', id, '--json', 'make the file'])
    const events = eventsOf(denied.stdout)
    const [asked] = eventsOfType(events, 'permission.requested')
    assert.deepEqual(asked?.needs, ['shell'], denied.stdout + denied.stderr)
    const allowed = await machine.run(['run', '--agent', id, '--json', '--allow', 'shell', 'make the file'])
    assert.equal(allowed.code, 0, allowed.stdout + allowed.stderr)
    const more = eventsOf(allowed.stdout)
    assert.match(eventsOfType(more, 'message.completed').at(-1)?.text ?? '', /all done/, allowed.stdout)
    assert.equal(await readFile(join(machine.workspace, 'ran.txt'), 'utf8'), 'tangerine\n')
    const session = more[0]?.sessionId ?? ''
    const again = await machine.run(['run', '--session', session, '--json', 'and again'])
    assert.equal(again.code, 0, again.stdout + again.stderr)
    const ids = [more, eventsOf(again.stdout)].map((part) => eventsOfType(part, 'route.chosen')[0]?.foreignSessionId)
    assert.equal(ids[0], ids[1])
  })
}
