import process from 'node:process'
import { HANDSHAKE_PROTOCOL, createHelloReader, encodeHello } from '../../packages/mesh/src/handshake/hello.ts'
import { HELLO, dial, fate, stranger } from '../../packages/mesh/src/testing/stranger.ts'

// A libp2p node that nobody knows: connects to the address given, learns what it can, and prints it as JSON.

const [address = ''] = process.argv.slice(2)
await using node = await stranger()
const identified = new Promise<{ agentVersion?: string; protocols: string[]; listenAddrs: { toString(): string }[] }>((resolve) => {
  node.addEventListener('peer:identify', ({ detail }) => resolve(detail))
})
const connection = await dial(node, { address })
const { agentVersion, protocols, listenAddrs } = await identified
const stream = await connection.newStream(HANDSHAKE_PROTOCOL)
const reader = createHelloReader()
const hello = await new Promise((resolve) => {
  stream.addEventListener('message', ({ data }) => {
    const whole = reader.push(data.subarray())
    if (whole) resolve(whole)
  })
  stream.send(encodeHello(HELLO))
})
const refused: Record<string, string> = {}
for (const service of ['sessions', 'models', 'directory', 'gossip', 'bans', 'probe']) {
  refused[service] = await fate(connection, `/qmt/${service}/1`, new Uint8Array(9), 3_000)
}
process.stdout.write(JSON.stringify({ agentVersion, protocols, listenAddrs: listenAddrs.map(String), hello, refused }, undefined, 1))
