import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Dialect, ToolCall } from './dialect.ts'
import { stepsOf } from './script.ts'
import type { Answer, Fault, ScriptedUsage, Step } from './script.ts'

const DEFAULT_USAGE: ScriptedUsage = { input: 10, output: 5 }
const HTML_PAGE = '<!doctype html>\n<html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>\n'

interface Reply {
  response: ServerResponse
  dialect: Dialect
  /** Aborts when the client has gone. */
  gone: AbortSignal
  /** Destroys the connection from our side. */
  cut(): void
}

/** Writes a whole answer, or as much of it as its fault lets. Rejects with an AbortError when the client leaves. */
export async function writeAnswer(reply: Reply, answer: Answer, options: { streaming: boolean }): Promise<void> {
  const steps = stepsOf(answer)
  const usage = steps.find((step) => 'usage' in step)?.usage ?? DEFAULT_USAGE
  if (!options.streaming && steps.every((step) => !('fault' in step))) return writeWhole(reply, steps, usage)

  for (const step of steps) {
    if ('fault' in step) return writeFault(reply, step.fault)
    if ('waitMs' in step) await sleep(step.waitMs, undefined, { signal: reply.gone })
    else if (!('usage' in step)) await writeStep(reply, step)
  }
  begin(reply)
  const usedTools = steps.some((step) => 'tool' in step)
  reply.response.end(reply.dialect.finish(usedTools ? 'tools' : 'stop', usage))
}

/** Sends the headers with the first event, so that a wait before it looks like a busy model. */
function begin({ response, dialect }: Reply): void {
  if (response.headersSent) return
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
  response.write(dialect.start())
}

async function writeStep(
  reply: Reply,
  step: Exclude<Step, { fault: Fault } | { waitMs: number } | { usage: ScriptedUsage }>,
): Promise<void> {
  begin(reply)
  if ('tool' in step) return write(reply, reply.dialect.tool(toolCallOf(step)))
  const isText = 'text' in step
  const chunks = [isText ? step.text : step.reasoning].flat()
  for (const [at, chunk] of chunks.entries()) {
    if (at > 0 && step.gapMs) await sleep(step.gapMs, undefined, { signal: reply.gone })
    await write(reply, isText ? reply.dialect.text(chunk) : reply.dialect.reasoning(chunk))
  }
}

async function write({ response, gone }: Reply, text: string): Promise<void> {
  if (!response.write(text)) await once(response, 'drain', { signal: gone })
}

async function writeFault(reply: Reply, fault: Fault): Promise<void> {
  const { response, dialect } = reply
  if (typeof fault === 'object') {
    const { status, retryAfter, message = `scripted status ${fault.status}`, code } = fault
    const headers = { 'content-type': 'application/json', ...(retryAfter !== undefined && { 'retry-after': retryAfter }) }
    response.writeHead(status, headers).end(JSON.stringify(dialect.error({ status, message, code })))
    return
  }
  switch (fault) {
    case 'html':
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(HTML_PAGE)
      return
    case 'garbage':
      begin(reply)
      response.end('data: {"choices": [nonsense\n\n')
      return
    case 'half':
      begin(reply)
      response.end()
      return
    case 'cut':
      begin(reply)
      await new Promise<void>((written) => response.write('', () => written()))
      reply.cut()
      return
    case 'hang':
      if (!reply.gone.aborted) await once(reply.gone, 'abort')
  }
}

function writeWhole({ response, dialect }: Reply, steps: readonly Step[], usage: ScriptedUsage): void {
  const joined = (pick: (step: Step) => string | readonly string[] | undefined) => steps.flatMap((step) => pick(step) ?? []).join('')
  const whole = dialect.whole({
    text: joined((step) => ('text' in step ? step.text : undefined)),
    reasoning: joined((step) => ('reasoning' in step ? step.reasoning : undefined)),
    tools: steps.flatMap((step) => ('tool' in step ? [toolCallOf(step)] : [])),
    usage,
  })
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(whole))
}

let toolCalls = 0
function toolCallOf(step: { tool: string; input: unknown; id?: string }): ToolCall {
  toolCalls += 1
  return { id: step.id ?? `call_${toolCalls}`, name: step.tool, input: JSON.stringify(step.input) }
}
