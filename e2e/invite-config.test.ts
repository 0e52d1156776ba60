import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '@qmtcode/testing'
import { openNodeApi } from './support/node-api.ts'
import { createMachine } from './support/qmt.ts'

const table = (name: string): string => `[mesh]\nlisten = "/ip4/127.0.0.1/tcp/0"\ndiscovery = "none"\nnode_name = "${name}"\n`

test('[mesh] invite from a variable is redeemed at the first start; the second finds that it is a member', async () => {
  await using host = await createMachine()
  await host.writeConfig(table('host'))
  const running = host.start(['--headless'])
  await running.line(/listening: \S+/)
  await using api = await openNodeApi(host)
  const { url } = await api.trust.invite()
  await using guest = await createMachine({ QMT_INVITE: url })
  await guest.writeConfig(`${table('guest')}invite = "\${QMT_INVITE}"\n`)
  const isConnected = async (): Promise<boolean> =>
    (await api.peers.list()).some(({ self, state, role }) => !self && state === 'connected' && role === 'client')

  const first = guest.start(['--headless'])
  await eventually('joined', isConnected)
  await first.kill()
  await eventually('gone', async () => !(await isConnected()))
  const second = guest.start(['--headless'])
  await eventually('a member still', isConnected)
  assert.doesNotMatch(second.output(), /invite/)
  assert.deepEqual(
    (await api.trust.invites()).map(({ usesLeft, joined }) => [usesLeft, joined.length]),
    [[0, 1]],
  )
})
