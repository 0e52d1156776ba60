import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { newPromptId } from '@qmtcode/protocol'
import { startScriptedLlm } from '@qmtcode/testing'
import { startHostAndFollower } from './support/host-and-follower.ts'
import { noTerminal, openTerminal } from './support/pty.ts'

test(
  'a question kept for the person at the host is told on all its terminals, also after a kill, until it is answered there',
  { skip: noTerminal, timeout: 180_000 },
  async () => {
    const command = 'echo allowed > proof.txt'
    await using llm = await startScriptedLlm({ 'use the shell': [[{ tool: 'shell', input: { command } }], 'all done'] })
    await using pair = await startHostAndFollower({ url: llm.url, share: 'shell = "ask"\n' })
    await using there = await pair.openThere()
    const { id } = await there.sessions.create({})
    await there.sessions.prompt(id, { promptId: newPromptId(), content: [{ type: 'text', text: 'use the shell' }] })
    await pair.hostNode.line(new RegExp(`question for you, from laptop: .*echo allowed.*; to answer: qmtcode attach ${id}`))

    await pair.hostNode.kill('SIGKILL')
    await pair.startHost()
    await pair.hostNode.line(/question for you, from laptop/)
    await using elsewhere = openTerminal(pair.host, ['--model', 'builtin/demo'])
    await elsewhere.shows(/question for you, from laptop: .*echo allowed/)

    await using here = openTerminal(pair.host, ['attach', id])
    await here.shows(/allow shell\? y once/)
    here.type('y\r')
    await elsewhere.shows(/no longer asked: .*echo allowed/)
    await pair.hostNode.line(/no longer asked: /)
    await here.shows(/all done/)
    assert.equal(await readFile(join(pair.host.workspace, 'proof.txt'), 'utf8'), 'allowed\n')
    assert.equal(llm.requests.length, 2)
  },
)
