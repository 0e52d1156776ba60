import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { AnyMessage, Stream } from '@agentclientprotocol/sdk'
import { z } from 'zod'

interface Published {
  $schema: string
  $defs: Record<string, { 'x-method'?: string; 'x-side'?: string }>
}

const read = (name: string): Published =>
  JSON.parse(readFileSync(fileURLToPath(import.meta.resolve(`@agentclientprotocol/sdk/schema/v1/${name}`)), 'utf8')) as Published
const stable = read('schema.json')
/** Of methods that the stable one does not have. */
const unstable = read('schema.unstable.json')

const schemas = new Map<string, z.ZodType>()

/** The published JSON schema's own word on a message: `undefined`, or what is wrong with it. */
export function violation(kind: 'Request' | 'Response' | 'Notification', method: string, value: unknown): string | undefined {
  if (method === 'elicitation/create') return undefined // its schema says `not`, which zod does not read; the tests compare the form whole
  const nameIn = ({ $defs }: Published): string | undefined =>
    Object.keys($defs).find((key) => key.endsWith(kind) && $defs[key]?.['x-method'] === method)
  const { $schema, $defs } = nameIn(stable) === undefined ? unstable : stable
  const name = nameIn({ $schema, $defs })
  if (name === undefined) return `the schema has no ${kind} of ${method}`
  const schema = schemas.get(name) ?? z.fromJSONSchema({ $schema, $defs, ...$defs[name] } as Parameters<typeof z.fromJSONSchema>[0])
  schemas.set(name, schema)
  const parsed = schema.safeParse(value)
  return parsed.success ? undefined : `${name} ${JSON.stringify(value)}: ${z.prettifyError(parsed.error)}`
}

/** All that crossed a stream, and what of it the schema refuses. */
export interface Wire {
  fromAgent: AnyMessage[]
  problems: string[]
}

/** A client's stream with a witness. */
export function watched(stream: Stream): { stream: Stream; wire: Wire } {
  const wire: Wire = { fromAgent: [], problems: [] }
  const asked = new Map<unknown, string>()
  const note = (problem: string | undefined): void => {
    if (problem !== undefined) wire.problems.push(problem)
  }
  const fromClient = new TransformStream<AnyMessage, AnyMessage>({
    transform(message, controller) {
      if ('method' in message && 'id' in message) asked.set(message.id, message.method)
      controller.enqueue(message)
    },
  })
  const fromAgent = new TransformStream<AnyMessage, AnyMessage>({
    transform(message, controller) {
      wire.fromAgent.push(message)
      if ('method' in message) note(violation('id' in message ? 'Request' : 'Notification', message.method, message.params))
      else if ('result' in message) note(violation('Response', asked.get(message.id) ?? 'nothing', message.result))
      controller.enqueue(message)
    },
  })
  const piped = fromClient.readable.pipeTo(stream.writable)
  piped.catch(() => {}) // the agent may end first
  return { stream: { readable: stream.readable.pipeThrough(fromAgent), writable: fromClient.writable }, wire }
}
