import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newPromptId } from '@qmtcode/protocol'
import { eventually, startScriptedLlm } from '@qmtcode/testing'
import { startHostAndFollower } from './support/host-and-follower.ts'
import { noTerminal, openTerminal } from './support/pty.ts'

const CTRL_D = '\u0004'

test(
  'attach alone offers what was attached, also after the node began again, and shows what was missed',
  { skip: noTerminal },
  async () => {
    await using llm = await startScriptedLlm(() => [{ text: 'said while you were away' }])
    await using pair = await startHostAndFollower({ url: llm.url })
    const { follower } = pair
    const none = await follower.run(['attach'])
    assert.equal(none.code, 2)
    assert.match(none.stderr, /nothing was attached from here yet/)

    const there = await pair.openThere()
    const { id } = await there.sessions.create({})
    await there[Symbol.asyncDispose]()
    const shown = await follower.run(['attach', `gpu-server/${id}`, '--no-follow'])
    assert.equal(shown.code, 0, shown.stderr)
    const listed = await follower.run(['attach'])
    assert.equal(listed.code, 2)
    assert.match(listed.stderr, new RegExp(`qmtcode attach gpu-server/${id}`))

    await pair.followerNode.kill('SIGKILL')
    await using here = await pair.openHost()
    await here.sessions.prompt(id, { promptId: newPromptId(), content: [{ type: 'text', text: 'hi' }] })
    await eventually('it is answered', async () => (await here.sessions.get(id)).state === 'idle')
    await pair.startFollower()
    {
      await using chat = openTerminal(follower, ['attach'])
      await chat.shows(/gpu-server[^]*session \(1-1\) ›/)
      chat.type('1\r')
      await chat.shows(/── [1-9]\d* events since you were here, [^]*said while you were away[^]*›$/)
      chat.type(CTRL_D)
      assert.equal(await chat.ended(), 0)
    }
    await using chat = openTerminal(follower, ['attach'])
    await chat.shows(/session \(1-1\) ›/)
    chat.type('1\r')
    await chat.shows(/── 0 events since you were here[^]*›$/)
    chat.type(CTRL_D)
    assert.equal(await chat.ended(), 0)
  },
)
