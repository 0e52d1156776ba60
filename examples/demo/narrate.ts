import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { SessionEvent } from '@qmtcode/protocol'
import type { QmtProcess } from './node.ts'

const LAPTOP = 'laptop      '
const SERVER = 'gpu-server  '
const MAX_OUTPUT_LINES = 6

/** Tells a run as it happens: what the laptop does, what the server thinks, and when. Resolves with the run's exit code. */
export async function narrate(run: QmtProcess, options: { model: string; say(line: string): void }): Promise<number> {
  const { model, say } = options
  const startedAt = performance.now()
  const times: { route?: number; firstToken?: number } = {}
  const since = (): string => `${String(Math.round(performance.now() - startedAt)).padStart(5)} ms  `
  let answer = ''
  let deltas = 0

  const tell = (event: SessionEvent): void => {
    switch (event.type) {
      case 'route.chosen':
        times.route = performance.now() - startedAt
        return say(`${since()}${LAPTOP}asks ${event.node} for ${event.model} (${event.reason})`)
      case 'message.delta':
        deltas += 1
        times.firstToken ??= performance.now() - startedAt
        return
      case 'message.completed': {
        const calls = event.content.filter((part) => part.type === 'tool-call').map((part) => part.toolName)
        answer = event.text
        return say(`${since()}${SERVER}${calls.length > 0 ? `thinks: call ${calls.join(', ')}` : 'thinks: done'}`)
      }
      case 'tool.started':
        return say(`${since()}${LAPTOP}runs ${event.name} ${JSON.stringify(event.input)}`)
      case 'tool.ended':
        return say(indent(event.output))
      case 'turn.ended':
        return say(`${since()}${LAPTOP}turn ${event.stopReason}`)
      default:
        return
    }
  }
  run.stderr.pipe(process.stderr)
  for await (const line of createInterface({ input: run.stdout })) tell(JSON.parse(line) as SessionEvent)
  const total = performance.now() - startedAt
  const [code] = run.exitCode === null ? ((await once(run, 'close')) as [number]) : [run.exitCode]
  say(`\n${answer}\n`)
  say(
    `${model} on gpu-server, tools on laptop: route after ${ms(times.route)}, first token after ${ms(times.firstToken)}, ${deltas} deltas, ${ms(total)} in all (with the start of qmtcode)`,
  )
  return code
}

const ms = (value: number | undefined): string => (value === undefined ? '–' : `${Math.round(value)} ms`)

function indent(output: string): string {
  const lines = output.trim().split('\n')
  const shown = lines.slice(0, MAX_OUTPUT_LINES).map((line) => `                      │ ${line.slice(0, 100)}`)
  return [
    ...shown,
    ...(lines.length > MAX_OUTPUT_LINES ? [`                      │ … ${lines.length - MAX_OUTPUT_LINES} more lines`] : []),
  ].join('\n')
}
