import { protocolIdOf } from '@qmtcode/protocol'
import type { Contract } from '@qmtcode/protocol'
import { KIND, rawCall, rawChunk, rawCredit, rawFrame } from '@qmtcode/testing'
import { encodeHello } from '../../packages/mesh/src/handshake/hello.ts'
import { HELLO } from '../../packages/mesh/src/testing/stranger.ts'

/** Bytes that a peer may send on a stream of a protocol: some are right, most were right once. The same for the same `random`. */
export interface Fuzzer {
  /** The next bytes; mostly one frame. */
  next(protocol: string): Uint8Array
}

export function createFuzzer(random: () => number, contracts: readonly Contract[]): Fuzzer {
  const int = (below: number): number => Math.floor(random() * below)
  const pick = <T>(list: readonly [T, ...T[]]): T => list[int(list.length)] ?? list[0]
  const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => int(256))

  const value = (depth = 0): unknown => {
    const kinds = [
      () => int(2 ** 31) - 2 ** 30,
      () => 'x'.repeat(int(random() < 0.05 ? 100_000 : 200)),
      () => pick([null, true, -0, 1e308, 2 ** 53, '', '\u0000', '../../etc/passwd', '__proto__', 'ses_0000000000000000']),
      () => ({ $type: pick(['bytes', 'date', 'url', 'chunk', 'function']), index: int(5), value: 'AAAA' }),
      () => Array.from({ length: int(6) }, () => value(depth + 1)),
      () => Object.fromEntries(Array.from({ length: int(6) }, () => [pick(FIELDS), value(depth + 1)])),
    ] as const
    return (depth > 6 ? kinds[0] : pick(kinds))()
  }
  const call = (contract: Contract): Uint8Array => {
    const method = random() < 0.9 ? pick(['', ...Object.keys(contract.methods)]) : pick(['toString', '__proto__', 'x'.repeat(300)])
    const params = random() < 0.2 ? value() : Object.fromEntries(FIELDS.flatMap((field) => (random() < 0.3 ? [[field, value()]] : [])))
    return rawCall(random() < 0.8 ? 1 : int(4), { method, params, ...(random() < 0.1 && { v: int(3) }) }, pick([KIND.callOnly, KIND.call]))
  }
  const rpc = (contract: Contract): Uint8Array => {
    const kind = random()
    if (kind < 0.6) return call(contract)
    if (kind < 0.7) return rawChunk(int(3), bytes(int(2_000)), random() < 0.5)
    if (kind < 0.8) return rawCredit(int(3), int(2 ** 31))
    return rawFrame(int(12), int(3), bytes(int(300)), random() < 0.3 ? int(2 ** 31) : undefined)
  }
  const hello = (): Uint8Array => {
    const changed = { ...HELLO, [pick(['name', 'grants', 'rotated', 'join', 'granted', 'services', 'state', 'v'])]: value() }
    try {
      return encodeHello(changed)
    } catch {
      return bytes(100)
    }
  }
  /** One thing wrong: a byte, the end, the length, a piece twice. */
  const mutate = (whole: Uint8Array): Uint8Array => {
    const at = int(whole.byteLength)
    const changed = Uint8Array.from(whole)
    switch (int(6)) {
      case 0:
        changed[at] = int(256)
        return changed
      case 1:
        return changed.subarray(0, at)
      case 2:
        return Buffer.concat([changed, changed.subarray(at)])
      case 3:
        changed.set(bytes(Math.min(4, changed.byteLength)))
        return changed
      case 4:
        return Buffer.concat([changed.subarray(0, at), bytes(int(50)), changed.subarray(at)])
      default:
        return changed
    }
  }
  return {
    next(protocol) {
      const contract = contracts.find((one) => protocolIdOf(one) === protocol)
      if (contract) return mutate(rpc(contract))
      return random() < 0.5 && protocol.startsWith('/qmt/')
        ? mutate(hello())
        : mutate(Buffer.concat([Uint8Array.of(int(128)), bytes(1 + int(300))]))
    },
  }
}

const FIELDS = [
  'mapped',
  'nat',
  'id',
  'model',
  'options',
  'prompt',
  'content',
  'promptId',
  'sessionId',
  'callId',
  'after',
  'origin',
  'agent',
  'workspace',
  'path',
  'query',
  'share',
  'change',
  'set',
  'entries',
  'keys',
  'buckets',
  'bans',
  'role',
  'content',
  'token',
  'value',
] as const
