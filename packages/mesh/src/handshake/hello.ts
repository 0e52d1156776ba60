import {
  AppError,
  ERROR_CODES,
  LIMITS,
  exceedsDepth,
  nodeNameSchema,
  roleSchema,
  trustStateSchema,
  statedDate,
  statedLine,
} from '@qmtcode/protocol'
import { z } from 'zod'
import { chainSchema } from '../trust/grant.ts'
import { inviteIdSchema } from '../trust/invite-link.ts'

export const HANDSHAKE_PROTOCOL = '/qmt/handshake/1'
const HANDSHAKE_VERSION = 1

/** What each side of a connection tells the other: who it is, and where the other one stands with it. */
export const helloSchema = z.object({
  v: z.literal(HANDSHAKE_VERSION),
  name: nodeNameSchema,
  version: z.string().regex(/^[\w.+-]{1,40}$/),
  /** What the receiver of this hello is here. */
  state: trustStateSchema,
  role: roleSchema.optional().catch(undefined),
  /** Services that the receiver may call here. */
  services: z.array(z.string().regex(/^[\w-]{1,40}$/)).max(40),
  /** For the person here to run, if the receiver shall be more. */
  command: z
    .string()
    .regex(/^qmtcode peers [a-z]{1,20} [1-9A-Za-z]{46,64}( [\w-]{1,20}){0,2}$/)
    .optional()
    .catch(undefined),
  /** The sender's clock, milliseconds since 1970; told to those it has admitted. */
  at: statedDate().optional().catch(undefined),
  /** Chains that the sender bears: one a mesh, as many as fit. */
  grants: z.array(chainSchema).max(4).optional().catch(undefined),
  /** The sender's earlier keys, each signing the next one; the last is signed over to the sender. */
  rotated: z.array(z.string().max(1_200)).max(3).optional().catch(undefined),
  /** The sender expected another id here, tells nothing of itself, and only asks whether that one was signed over to the receiver. */
  asks: z.literal('rotation').optional(),
  /** The sender holds an invite of the receiver. */
  join: z.object({ id: inviteIdSchema, proof: z.string().max(64) }).optional(),
  /** A grant for the receiver: by the invite it showed, or renewed. */
  granted: chainSchema.optional().catch(undefined),
  /** Why the invite was not redeemed. */
  refused: z.object({ code: z.enum(ERROR_CODES).catch('internal'), message: statedLine(300) }).optional(),
})
export interface Hello extends z.infer<typeof helloSchema> {}

const LENGTH_BYTES = 4

/** `hello` with as many of `chains` as its frame holds. */
export function withGrants(hello: Hello, chains: readonly (readonly string[])[]): Hello {
  let full = hello
  for (const chain of chains.slice(0, 4)) {
    const next = { ...full, grants: [...(full.grants ?? []), [...chain]] }
    if (Buffer.byteLength(JSON.stringify(next)) <= LIMITS.handshakeBytes) full = next
  }
  return full
}

/** `[u32 length][JSON]`. */
export function encodeHello(hello: Hello): Uint8Array {
  const body = new TextEncoder().encode(JSON.stringify(hello))
  if (body.byteLength > LIMITS.handshakeBytes) throw new AppError('too_large', `a handshake of ${body.byteLength} bytes`)
  const frame = new Uint8Array(LENGTH_BYTES + body.byteLength)
  new DataView(frame.buffer).setUint32(0, body.byteLength)
  frame.set(body, LENGTH_BYTES)
  return frame
}

/** Gathers one frame. `push` returns the hello once it is whole; throws too_large as soon as the length says so, bad_request for anything else. */
export function createHelloReader(): { push(bytes: Uint8Array): Hello | undefined } {
  let buffer = new Uint8Array(0)
  return {
    push(bytes) {
      if (buffer.byteLength + bytes.byteLength > LENGTH_BYTES + LIMITS.handshakeBytes) throw tooLarge(buffer.byteLength + bytes.byteLength)
      const joined = new Uint8Array(buffer.byteLength + bytes.byteLength)
      joined.set(buffer)
      joined.set(bytes, buffer.byteLength)
      buffer = joined
      if (buffer.byteLength < LENGTH_BYTES) return undefined
      const length = new DataView(buffer.buffer).getUint32(0)
      if (length > LIMITS.handshakeBytes) throw tooLarge(length)
      if (buffer.byteLength < LENGTH_BYTES + length) return undefined
      if (buffer.byteLength > LENGTH_BYTES + length) throw new AppError('bad_request', 'a handshake has one frame, not more')
      return parseHello(buffer.subarray(LENGTH_BYTES))
    },
  }
}

function parseHello(body: Uint8Array): Hello {
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch (cause) {
    throw new AppError('bad_request', 'its handshake is not JSON', { cause })
  }
  if (exceedsDepth(json, 4)) throw new AppError('bad_request', 'its handshake nests too deep')
  const parsed = helloSchema.safeParse(json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  if (issue?.path[0] === 'v') {
    throw new AppError('unsupported', `it speaks another version of the handshake than ${HANDSHAKE_VERSION}`, {
      hint: 'run the same version of qmtcode on both',
    })
  }
  throw new AppError('bad_request', `its handshake has a wrong ${issue?.path.join('.') || 'form'}`, { cause: parsed.error })
}

const tooLarge = (bytes: number): AppError =>
  new AppError('too_large', `its handshake has ${bytes} bytes, more than ${LIMITS.handshakeBytes}`)
