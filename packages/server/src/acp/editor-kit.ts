import assert from 'node:assert/strict'
import { client, methods, ndJsonStream } from '@agentclientprotocol/sdk'
import type {
  AnyMessage,
  ClientCapabilities,
  ClientContext,
  ContentBlock,
  CreateElicitationRequest,
  CreateElicitationResponse,
  RequestPermissionRequest,
  SessionUpdate,
  Stream,
} from '@agentclientprotocol/sdk'
import { watched } from './wire-kit.ts'
import type { Wire } from './wire-kit.ts'

type UpdateOf<Kind extends SessionUpdate['sessionUpdate']> = Extract<SessionUpdate, { sessionUpdate: Kind }>

/** An editor, by the SDK's own client. What the agent sends is checked against the published schema when it is disposed. */
export interface Editor extends AsyncDisposable {
  agent: ClientContext
  wire: Wire
  updates: readonly SessionUpdate[]
  of<Kind extends SessionUpdate['sessionUpdate']>(kind: Kind): UpdateOf<Kind>[]
  /** What the agent said, chunks joined. */
  said(): string
  /** Resolves when `check` gives something; asked again after each message. */
  until<Value>(what: string, check: () => Value): Promise<NonNullable<Value>>
  closed: Promise<void>
  close(): void
}

export interface EditorOptions {
  /** The chosen option's id, or `cancelled`. Default: fails. */
  onPermission?: (request: RequestPermissionRequest, signal: AbortSignal) => string | Promise<string>
  /** What a form is answered with; the client has forms where this is given. */
  onForm?: (request: CreateElicitationRequest, signal: AbortSignal) => CreateElicitationResponse | Promise<CreateElicitationResponse>
  capabilities?: ClientCapabilities
}

const DEADLINE_MS = 20_000

export async function openEditor(stream: Stream, options: EditorOptions = {}): Promise<Editor> {
  const { onPermission = () => assert.fail('a permission was asked for'), onForm } = options
  const capabilities = { ...options.capabilities, ...(onForm && { elicitation: { form: {} } }) }
  const updates: SessionUpdate[] = []
  const listeners = new Set<() => void>()
  const { stream: seen, wire } = watched(stream)
  const connection = client({ name: 'editor' })
    .onNotification(methods.client.session.update, ({ params }) => {
      updates.push(params.update)
      for (const listener of listeners) listener()
    })
    .onRequest(methods.client.session.requestPermission, async ({ params, signal }) => {
      const optionId = await onPermission(params, signal)
      return { outcome: optionId === 'cancelled' ? { outcome: 'cancelled' } : { outcome: 'selected', optionId } }
    })
    .onRequest(methods.client.elicitation.create, ({ params, signal }) => onForm?.(params, signal) ?? assert.fail('a form was shown'))
    .connect(seen)
  const until: Editor['until'] = (what, check) =>
    new Promise((resolve, reject) => {
      const done = (settle: () => void): void => {
        clearTimeout(timer)
        listeners.delete(look)
        settle()
      }
      const look = (): void => {
        const value = check()
        if (value) done(() => resolve(value))
      }
      const timer = setTimeout(() => done(() => reject(new Error(`not within ${DEADLINE_MS} ms: ${what}`))), DEADLINE_MS)
      listeners.add(look)
      look()
    })
  const of: Editor['of'] = (kind) => updates.filter((update): update is UpdateOf<typeof kind> => update.sessionUpdate === kind)
  await connection.agent.request('initialize', { protocolVersion: 1, clientCapabilities: capabilities })
  return {
    agent: connection.agent,
    wire,
    updates,
    of,
    said: () =>
      of('agent_message_chunk')
        .map(({ content }) => (content.type === 'text' ? content.text : ''))
        .join(''),
    until,
    closed: connection.closed,
    close: () => connection.close(),
    [Symbol.asyncDispose]: async () => {
      connection.close()
      await connection.closed
      assert.deepEqual(wire.problems, [])
    },
  }
}

/** A process's pipes, as a client has them. */
export const pipeStream = ndJsonStream

export const textBlocks = (text: string): Extract<ContentBlock, { type: 'text' }>[] => [{ type: 'text', text }]

/** The two ends of a connection without a process between. */
export function memoryStreams(): { agent: Stream; editor: Stream } {
  const toAgent = new TransformStream<AnyMessage, AnyMessage>()
  const toEditor = new TransformStream<AnyMessage, AnyMessage>()
  return {
    agent: { readable: toAgent.readable, writable: toEditor.writable },
    editor: { readable: toEditor.readable, writable: toAgent.writable },
  }
}
