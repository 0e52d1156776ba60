import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Confinement } from '../sandbox/types.ts'
import { calls, createTurnKit, says } from './turn-kit.ts'

const rules = ['echo *', 'cd *', 'ls missing'].map((match) => ({ tool: 'shell', match, action: 'allow' as const }))

const shell = (command: string, id: string): [string, unknown, string] => ['shell', { command }, id]

test('a rule is about what happens: a command that it allows runs without a shell', async () => {
  const commands = ["echo 'a  b' '$HOME' \"; pwd\"", 'cd .', 'ls missing', 'echo $HOME']
  await using kit = await createTurnKit({
    script: [calls(...commands.map((command, at) => shell(command, `c${at}`))), says('ok')],
    permissions: { rules },
    answer: 'deny',
  })
  await kit.run('go')
  const outputs = kit.ended().map(({ output }) => output)
  assert.equal(outputs[0], 'a  b $HOME ; pwd\n[exit code 0]')
  assert.match(outputs[1] ?? '', /\[exit code 127; .*without a shell, so its first word has to be a program\]$/)
  assert.match(outputs[2] ?? '', /missing.*\n\[exit code [12]\]$/)
  assert.deepEqual(
    kit.asked.map(({ summary }) => summary.split(' (')[0]),
    ['echo $HOME'],
  )
})

test('a rule is about what happens: in the sandbox too a command that it allows runs as its words', async () => {
  const started: string[][] = []
  const confinement: Confinement = {
    kind: 'sandbox',
    network: true,
    wrap: (command) => {
      started.push([command.file, ...command.args])
      return Promise.resolve(command)
    },
  }
  await using kit = await createTurnKit({ script: [calls(shell("echo 'a;' b", 'c')), says('ok')], permissions: { rules }, confinement })
  await kit.run('go')
  assert.deepEqual(started, [['echo', 'a;', 'b']])
})
