import { startScriptedLlm } from './scripted-llm.ts'
import type { Answer, Script } from './script.ts'

/**
 * A scripted model server as a process of its own, so that a benchmark does not pay for it on its own event loop.
 * argv: JSON `{ script }` or `{ always }` (the same answer to every call). Prints its base URL, ends with its stdin.
 */
const order = JSON.parse(process.argv[2] ?? '{}') as { script?: Script; always?: Answer; models?: string[] }
const always = order.always
const server = await startScriptedLlm(always === undefined ? (order.script ?? []) : () => always, { models: order.models, record: false })
process.stdout.write(`${server.url}\n`)
process.stdin.resume().once('end', () => process.exit(0))
