import { lookup } from 'node:dns/promises'
import { multiaddr } from '@multiformats/multiaddr'
import type { Multiaddr } from '@multiformats/multiaddr'
import { AppError } from '@qmtcode/protocol'

/** IP addresses of a host name, as this machine's resolver orders them. Rejects with the system's error. */
export type LookUpName = (name: string, family: 0 | 4 | 6) => Promise<string[]>

export const systemLookup: LookUpName = async (name, family) => (await lookup(name, { all: true, family })).map(({ address }) => address)

const FAMILY: Record<string, 0 | 4 | 6> = { dns: 0, dns4: 4, dns6: 6 }
/** A name with more is a mistake, or an attack on whoever dials it. */
const MAX_PER_NAME = 8

/** The address with its host name as IP addresses, asked anew each time; any other as it is. Throws peer_unreachable for a name without addresses. */
export async function resolveName(address: Multiaddr, lookUp: LookUpName, signal: AbortSignal): Promise<Multiaddr[]> {
  const [host, ...rest] = address.getComponents()
  const family = host && FAMILY[host.name]
  if (family === undefined || host?.value === undefined) return [address]
  const found = await answerOf(host.value, lookUp(host.value, family), signal)
  return [...new Set(found)].slice(0, MAX_PER_NAME).map((ip) => {
    const [ipHost] = multiaddr(ip.includes(':') ? `/ip6/${ip}` : `/ip4/${ip}`).getComponents()
    return multiaddr(ipHost ? [ipHost, ...rest] : rest)
  })
}

/** The system's lookup cannot be cancelled: after `signal` its answer is not waited for. */
async function answerOf(name: string, answer: Promise<string[]>, signal: AbortSignal): Promise<string[]> {
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(new AppError('peer_unreachable', `the name ${name} was not resolved in time`))
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await Promise.race([answer, promise])
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    throw new AppError('peer_unreachable', `the name ${name} has no address: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
      hint: "is the name right, and known to this machine's DNS?",
    })
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
