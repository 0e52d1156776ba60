import { connect } from 'node:net'

/** What stands behind a TCP port. `libp2p`: it speaks the first line of it. `foreign`: it said something else; `detail` tells what. */
export interface TcpKnock {
  outcome: 'libp2p' | 'foreign' | 'closed' | 'refused' | 'silent' | 'no_route' | 'failed'
  detail?: string
}

const GREETING = '/multistream/1.0.0\n'
const SENT = Buffer.concat([Buffer.from([GREETING.length]), Buffer.from(GREETING)])
const MAX_HEARD = 512
const PRINTABLE = /[^\x20-\x7e]+/g

/** Connects, says libp2p's first line and hears what comes back. A server that only listens to another language says so, or nothing. */
export function knockTcp(host: string, port: number, bounds: { connectMs: number; answerMs: number }): Promise<TcpKnock> {
  const { promise, resolve } = Promise.withResolvers<TcpKnock>()
  const socket = connect({ host, port })
  let heard = Buffer.alloc(0)
  let isConnected = false
  // A busy process runs its timers before it looks at its sockets: what has come meanwhile counts.
  const after = (ms: number, run: () => void): NodeJS.Timeout => setTimeout(() => setImmediate(run), ms)
  let timer = after(bounds.connectMs, () => {
    if (!isConnected) end({ outcome: 'silent' })
  })
  function end(knock: TcpKnock): void {
    clearTimeout(timer)
    socket.destroy()
    resolve(knock)
  }
  socket.on('connect', () => {
    isConnected = true
    clearTimeout(timer)
    timer = after(bounds.answerMs, () => {
      end(heard.length > 0 ? named(heard) : { outcome: 'foreign', detail: 'something that accepts connections and says nothing' })
    })
    socket.write(SENT)
  })
  socket.on('data', (data) => {
    heard = Buffer.concat([heard, data]).subarray(0, MAX_HEARD)
    if (heard.includes(GREETING)) end({ outcome: 'libp2p' })
    else if (heard.length >= SENT.length) end(named(heard))
  })
  const onEnd = (): void => end(heard.length > 0 ? named(heard) : { outcome: 'closed' })
  socket.on('end', onEnd)
  socket.on('error', (error: NodeJS.ErrnoException) => (isConnected ? onEnd() : end(unconnected(error))))
  return promise
}

function unconnected({ code = '', message }: NodeJS.ErrnoException): TcpKnock {
  if (code === 'ECONNREFUSED') return { outcome: 'refused' }
  if (code === 'ETIMEDOUT') return { outcome: 'silent' }
  if (['EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL'].includes(code)) return { outcome: 'no_route', detail: REASONS[code] }
  if (code === 'EPERM' || code === 'EACCES') return { outcome: 'failed', detail: 'a firewall on this machine forbids it' }
  return { outcome: 'failed', detail: message.slice(0, 200) }
}

const REASONS: Record<string, string> = {
  EHOSTUNREACH: 'no machine answers at that address',
  ENETUNREACH: 'this machine has no route to that network',
  EADDRNOTAVAIL: 'this machine has no address that could reach it',
}

/** By what it says to a line that it does not know. */
function named(heard: Buffer): TcpKnock {
  const text = heard.toString('latin1')
  if (text.startsWith('SSH-')) return { outcome: 'foreign', detail: `an SSH server (${clean(text.split('\n')[0] ?? '')})` }
  if (/^HTTP\/\d/.test(text)) return { outcome: 'foreign', detail: `a web server (${clean(text.split('\n')[0] ?? '')})` }
  if (heard[0] === 0x15 && heard[1] === 0x03) return { outcome: 'foreign', detail: 'a server that wants TLS at once (HTTPS?)' }
  return { outcome: 'foreign', detail: `something that says ${JSON.stringify(clean(text))}` }
}

const clean = (text: string): string => text.replace(PRINTABLE, ' ').trim().slice(0, 60)
