import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { startScriptedLlm } from '@qmtcode/testing'
import type { ScriptedLlm } from '@qmtcode/testing'
import { eventsOf } from './support/output.ts'
import { noTerminal, openTerminal } from './support/pty.ts'
import { createMachine, startHost } from './support/qmt.ts'
import type { Machine } from './support/qmt.ts'
import { guestConfig } from './support/two-machines.ts'

const CTRL_D = '\u0004'

interface Rig extends AsyncDisposable {
  laptop: Machine
  server: Machine
  llm: ScriptedLlm
  /** Of the server, begun by the laptop. */
  session: string
}

async function startRig(): Promise<Rig> {
  await using parts = new AsyncDisposableStack()
  const llm = parts.use(
    await startScriptedLlm({
      endless: [[{ text: ['the first ', 'words'] }, { fault: 'hang' }]],
      colours: ['red, green and blue'],
      explain: ['explained'],
    }),
  )
  const laptop = parts.use(await createMachine())
  const server = parts.use(await createMachine())
  const { address } = await startHost(server, {
    guest: await laptop.peerId(),
    share: `agents = ["*"]\nworkspaces = ["${server.workspace}"]`,
    config: `
[providers.scripted]
base_url = "${llm.url}"
[agent]
provider = "scripted"
model = "scripted"
`,
  })
  await laptop.writeConfig(guestConfig(address))
  const began = await laptop.run(['attach', 'gpu-server', '--new'])
  assert.equal(began.code, 0, began.stderr)
  const owned = parts.move()
  return { laptop, server, llm, session: began.stdout.trim(), [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

test('two people in one session see each other and the queue; files come from the host', { skip: noTerminal }, async () => {
  await using rig = await startRig()
  const { laptop, server, session } = rig
  await writeFile(join(server.workspace, 'launch notes.txt'), 'the launch code is tangerine\n')
  await using guest = openTerminal(laptop, ['attach', `gpu-server/${session}`])
  await guest.shows(/^›$/m)
  guest.type('endless, see @lau\t')
  await guest.shows(/› endless, see @"launch notes\.txt"$/)
  guest.type(' and @nothing\r')
  await guest.shows(/@nothing is left as it is: .*\n[^]*the first words/)
  assert.match(JSON.stringify((await rig.llm.request(0)).body), /Attached file launch notes\.txt:.*tangerine/)
  await using host = openTerminal(server, ['attach', session])
  await host.shows(/laptop is here/)
  await guest.shows(/@gpu-server is here/)
  host.type('colours of the host\r')
  await host.shows(/queued, position 1/)
  await guest.shows(/queued behind 1: \w+@gpu-server: colours of the host/)
  host.type('more colours\r')
  await guest.shows(/queued behind 2: \w+@gpu-server: more colours[^]*\nworking, 2 wait \(\/queue\) ›$/)
  guest.type('/queue\r')
  await guest.shows(/ 1 {2}\w+@gpu-server: colours of the host\n +2 {2}\w+@gpu-server: more colours/)
  guest.type('/withdraw 1\r')
  await guest.shows(/withdrawn: \w+@gpu-server: colours of the host[^]*\nworking, 1 waits \(\/queue\) ›$/)
  host.type(CTRL_D)
  assert.equal(await host.ended(), 0)
  await guest.shows(/@gpu-server left/)
  guest.type('/mode plan\r')
  await guest.shows(/mode: plan/)
  guest.type('/title launch of the week\r')
  await guest.shows(/title: launch of the week/)
  const [row] = JSON.parse((await server.run(['sessions', '--json'])).stdout) as { title: string; mode: string }[]
  assert.deepEqual([row?.title, row?.mode], ['launch of the week', 'plan'])
  guest.type('/fork\r')
  await guest.shows(/ses_\w+, with what happened in ses_/)
  guest.type(CTRL_D)
  assert.equal(await guest.ended(), 0)
})

test('sessions fork, show and delete take NODE/ID, and an id alone that one peer has', async () => {
  await using rig = await startRig()
  const { laptop, session } = rig
  const ran = await laptop.run(['run', '--node', 'gpu-server', '--session', session, 'colours'])
  assert.equal(ran.code, 0, ran.stderr)
  const forked = await laptop.run(['sessions', 'fork', `gpu-server/${session}`, '--at', '1', '--title', 'again', '--json'])
  assert.equal(forked.code, 0, forked.stderr)
  const { id, seq, title } = JSON.parse(forked.stdout) as { id: string; seq: number; title: string }
  assert.deepEqual([seq, title], [1, 'again'])
  const shown = await laptop.run(['sessions', 'show', session])
  assert.match(shown.stdout, /red, green and blue/, shown.stderr)
  const deleted = await laptop.run(['sessions', 'delete', id])
  assert.equal(deleted.code, 0, deleted.stderr)
  const gone = await laptop.run(['sessions', 'show', id])
  assert.equal(gone.code, 1, gone.stderr)
  assert.match(gone.stderr, /no session ses_\w+ here or on gpu-server/)
})

test('sessions share and unshare take NODE/ID', async () => {
  await using rig = await startRig()
  const { laptop, server, session } = rig
  await using tablet = await createMachine()
  const config = await readFile(join(laptop.home, 'config.toml'), 'utf8')
  const peerId = await tablet.peerId()
  await laptop.writeConfig(`${config}[[mesh.peers]]\nname = "tablet"\npeer_id = "${peerId}"\nuse = false\n`)
  const place = `gpu-server/${session}`
  const sharesAt = async (): Promise<unknown> => {
    const shown = await server.run(['sessions', 'show', session, '--json'])
    assert.equal(shown.code, 0, shown.stderr)
    return eventsOf(shown.stdout).flatMap((event) =>
      event.type === 'session.shared' || event.type === 'session.unshared' ? [[event.type, event.peerId]] : [],
    )
  }
  const shared = await laptop.run(['sessions', 'share', place, '--with', 'tablet', '--as', 'prompt'])
  assert.equal(shared.code, 0, shared.stderr)
  assert.equal(shared.stdout, `${session} is shared with tablet: observe, prompt\n`)
  const taken = await laptop.run(['sessions', 'unshare', place, '--with', 'tablet'])
  assert.equal(taken.code, 0, taken.stderr)
  assert.equal(taken.stdout, `${session} is not shared with tablet\n`)
  assert.deepEqual(await sharesAt(), [
    ['session.shared', peerId],
    ['session.unshared', peerId],
  ])
})

test('run --node attaches the files of the host, a picture as a picture', async () => {
  await using rig = await startRig()
  const { laptop, server, llm } = rig
  const png = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')
  await writeFile(join(server.workspace, 'file.txt'), 'the launch code is tangerine\n')
  await writeFile(join(server.workspace, 'shot.png'), png)
  await writeFile(join(laptop.workspace, 'file.txt'), 'a file of the laptop\n')
  const ran = await laptop.run(['run', '--node', 'gpu-server', 'explain @file.txt and @shot.png'])
  assert.equal(ran.code, 0, ran.stderr)
  assert.equal(ran.stdout, 'explained\n')
  const sent = JSON.stringify((await llm.request(0)).body.messages)
  assert.match(sent, /Attached file file\.txt:\\nthe launch code is tangerine/)
  assert.doesNotMatch(sent, /of the laptop/)
  assert.ok(sent.includes(`{"type":"image_url","image_url":{"url":"data:image/png;base64,${png.toString('base64')}"}}`), sent)
})

test('attach NODE on a terminal asks which session', { skip: noTerminal }, async () => {
  await using rig = await startRig()
  await using chat = openTerminal(rig.laptop, ['attach', 'gpu-server'])
  await chat.shows(/session \(1-1\) ›/)
  chat.type('1\r')
  await chat.shows(new RegExp(`${rig.session} · .* on gpu-server in [^]*^›$`, 'm'))
  chat.type(CTRL_D)
  assert.equal(await chat.ended(), 0)
})
