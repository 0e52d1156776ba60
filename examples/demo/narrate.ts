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
  const times: { accepted?: number; route?: number; firstToken?: number; ended?: number } = {}
  const since = (): string => `${String(Math.round(performance.now() - startedAt)).padStart(5)} ms  `
  let answer = ''
  let deltas = 0

  const tell = (event: SessionEvent): void => {
    switch (event.type) {
      case 'prompt.accepted':
        times.accepted = performance.now() - startedAt
        return
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
        times.ended = performance.now() - startedAt
        return say(`${since()}${LAPTOP}turn ${event.stopReason}`)
      default:
        return
    }
  }
  run.stderr.pipe(process.stderr)
  for await (const line of createInterface({ input: run.stdout })) tell(JSON.parse(line) as SessionEvent)
  const [code] = run.exitCode === null ? ((await once(run, 'close')) as [number]) : [run.exitCode]
  say(`\n${answer}\n`)
  say(`${model} thought on gpu-server, the tools ran on laptop.`)
  const after = (time: number | undefined): string =>
    time === undefined || times.accepted === undefined ? '–' : `${Math.round(time - times.accepted)} ms`
  say(
    `qmtcode was up after ${Math.round(times.accepted ?? 0)} ms. From the prompt: route ${after(times.route)}, first token ${after(times.firstToken)}, end ${after(times.ended)}; ${deltas} deltas.`,
  )
  return code
}

function indent(output: string): string {
  const lines = output.trim().split('\n')
  const shown = lines.slice(0, MAX_OUTPUT_LINES).map((line) => `                      │ ${line.slice(0, 100)}`)
  return [
    ...shown,
    ...(lines.length > MAX_OUTPUT_LINES ? [`                      │ … ${lines.length - MAX_OUTPUT_LINES} more lines`] : []),
  ].join('\n')
}
