import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLab, labSkip } from '@qmtcode/testing/lab'
import { createMachine, startHost } from '../support/qmt.ts'

const skip = labSkip()

test('two machines of a LAN: one asks the model of the other', { skip }, async () => {
  await using lab = await createLab()
  const lan = await lab.lan()
  const [left, right] = [await lab.host('left', { lan }), await lab.host('right', { lan })]
  await using laptop = await createMachine({}, { on: left })
  await using server = await createMachine({}, { on: right })
  const { address } = await startHost(server, {
    guest: await laptop.peerId(),
    listen: `/ip4/${right.address}/tcp/9000`,
    models: ['builtin/demo'],
  })
  await laptop.writeConfig(`
[mesh]
listen = "/ip4/0.0.0.0/tcp/9000"
discovery = "none"
node_name = "laptop"
[[mesh.peers]]
name = "gpu-server"
addr = "${address}"
`)
  const ran = await laptop.run(['run', '--model', 'gpu-server:builtin/demo', 'hello'])
  assert.equal(ran.code, 0, ran.stderr)
  assert.notEqual(ran.stdout, '')
})
