import assert from 'node:assert/strict'
import { copyFile, mkdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'node:test'
import { newPromptId } from '@qmtcode/protocol'
import type { Author, PeerId } from '@qmtcode/protocol'
import { calls, createTurnKit, says } from './turn-kit.ts'
import type { KitOptions, ScriptStep, TurnKit } from './turn-kit.ts'

const BOB: Author = { node: 'bob', peerId: 'bob' as PeerId }
const RUN = calls(['shell', { command: 'sh ./*.sh; touch ran' }])
const SANDBOX: KitOptions['confinement'] = {
  kind: 'sandbox',
  wrap: <T>(one: T) => Promise.resolve(one),
  network: true,
  shows: () => false,
}

const write = (path: string): ScriptStep => calls(['write_file', { path, content: 'touch ran\n' }])
const shell = (command: string): ScriptStep => calls(['shell', { command }])
const asGuest = { author: BOB, guest: 'bob' as PeerId, isGuest: ({ node }: Author) => node === 'bob' }

interface Door {
  /** What the model of Bob's turn, or of one with his words, does. */
  does: ScriptStep
  /** Default: Bob's own turn. */
  turn?: (kit: TurnKit) => Promise<unknown>
  prepare?: (kit: TurnKit) => Promise<unknown>
  /** What the person does afterwards, outside of qmtcode. */
  after?: (kit: TurnKit) => Promise<unknown>
  /** Where the later turn of the person works. */
  workspace?: (kit: TurnKit) => string
  /** In the question. */
  named?: RegExp
}

/** A file system’s clock has ticked since it was made. */
async function isOld(path: string): Promise<void> {
  const { ctimeMs } = await stat(path)
  const deadline = Date.now() + 5_000
  while (Date.now() - ctimeMs < 100) assert.ok(Date.now() < deadline)
}

const from = ({ workspace }: TurnKit, name: string): string => join(workspace, name)

/** Every way in which words of another node get into a file. */
const DOORS: Record<string, Door> = {
  'a file that a guest wrote': { does: write('a.sh'), named: /a\.sh \(bob\)/ },
  'a file of the host that a guest edited': {
    prepare: async (kit) => await writeFile(from(kit, 'a.sh'), 'true\n'),
    does: calls(['edit', { path: 'a.sh', old_string: 'true', new_string: 'touch ran' }]),
    named: /a\.sh \(bob\)/,
  },
  'a file that a guest’s command wrote': {
    does: shell('mkdir -p deep/er && echo touch ran > deep/er/a.sh'),
    named: /deep\/er\/a\.sh \(bob\)/,
  },
  'a file that a guest’s command left in the background': {
    does: shell('(sleep 0.2; echo touch ran > a.sh) & while ! test -f a.sh; do sleep 0.05; done'),
    named: /a\.sh \(bob\)/,
  },
  'a file that a guest’s command renamed': {
    prepare: async (kit) => await writeFile(from(kit, 'sample.txt'), 'touch ran\n'),
    does: shell('mv sample.txt a.sh'),
    named: /a\.sh \(bob\)/,
  },
  'a directory that a guest’s command renamed': {
    prepare: async (kit) => {
      await mkdir(from(kit, 'samples'))
      await writeFile(from(kit, 'samples/a.sh'), 'touch ran\n')
    },
    does: shell('mv samples tests'),
    named: /tests.* \(bob\)/,
  },
  'a file whose times a guest’s command set back': {
    does: shell('echo touch ran > a.sh; touch -d 2001-01-01 a.sh'),
    named: /a\.sh \(bob\)/,
  },
  'a link that a guest’s command made': {
    prepare: async (kit) => await writeFile(from(kit, 'sample.txt'), 'touch ran\n'),
    does: shell('ln -s sample.txt a.sh'),
    named: /a\.sh \(bob\)/,
  },
  'a file that a guest’s command made runnable': {
    prepare: async (kit) => await writeFile(from(kit, 'a.sh'), 'touch ran\n'),
    does: shell('chmod +x a.sh'),
    named: /a\.sh \(bob\)/,
  },
  'a command of a guest that failed': { does: shell('echo touch ran > a.sh; exit 1'), named: /a\.sh \(bob\)/ },
  'more files than are named': {
    does: shell('for i in $(seq 150); do echo touch ran > $i.sh; done'),
    named: /the whole workspace \(bob\)/,
  },
  'a file that the person renamed': {
    does: write('a.txt'),
    after: async (kit) => await rename(from(kit, 'a.txt'), from(kit, 'b.sh')),
  },
  'a file that the person copied': { does: write('a.txt'), after: async (kit) => await copyFile(from(kit, 'a.txt'), from(kit, 'b.sh')) },
  'a file that the person made a link to': {
    does: write('a.txt'),
    after: async (kit) => await symlink('a.txt', from(kit, 'b.sh')),
  },
  'a file that the person added to': {
    does: write('a.sh'),
    after: async (kit) => await writeFile(from(kit, 'a.sh'), '# mine\n', { flag: 'a' }),
  },
  'a guest’s workspace inside that of the turn': { does: write('a.sh'), workspace: ({ workspace }) => join(workspace, '..') },
  'a guest’s workspace around that of the turn': {
    does: shell('mkdir in && echo touch ran > in/a.sh'),
    workspace: ({ workspace }) => join(workspace, 'in'),
  },
  'a file that a turn of the host wrote with a guest’s words': {
    does: write('a.sh'),
    turn: async (kit) => {
      const promptId = newPromptId()
      await kit.log({ type: 'prompt.accepted', promptId, author: BOB, content: [{ type: 'text', text: 'write it' }], position: 0 })
      await kit.log({ type: 'turn.started', turnId: 'turn-0', promptId })
      await kit.run('do what bob says', { allow: ['edit'] })
    },
    named: /a\.sh \(with words of others\)/,
  },
}

async function open(door: Door, script: ScriptStep[], options: Partial<KitOptions> = {}): Promise<{ kit: TurnKit; options: KitOptions }> {
  const given: KitOptions = {
    script: [door.does, says('ok'), ...script],
    answer: 'allow',
    guestShell: 'ask',
    confinement: SANDBOX,
    ...options,
  }
  const kit = await createTurnKit(given)
  await door.prepare?.(kit)
  await (door.turn ?? ((one) => one.run('please', asGuest)))(kit)
  await door.after?.(kit)
  kit.newSession()
  kit.asked.length = 0
  return { kit, options: given }
}

const FREEDOMS: [freedom: string, permissions: KitOptions['permissions'], allow: string[]][] = [
  ['shell = "allow"', { shell: 'allow' }, []],
  ['a rule for every command', { rules: [{ tool: 'shell', action: 'allow' }] }, []],
  ['--allow shell', {}, ['shell']],
]

for (const [what, door] of Object.entries(DOORS)) {
  for (const [freedom, permissions, allow] of FREEDOMS) {
    test(`what a guest wrote never runs unasked in a later turn of the host: ${what}, ${freedom}`, async () => {
      const { kit, options } = await open(door, [RUN, says('ok')], { permissions })
      await using _ = kit
      delete options.answer
      const workspace = door.workspace?.(kit) ?? kit.workspace
      await kit.run('go', { allow, workspace })
      assert.match(kit.ended()[0]?.output ?? '', /not allowed/)
      assert.match(kit.asked[0]?.summary ?? '', door.named ?? /other nodes had a part in files/)
      await assert.rejects(readFile(join(workspace, 'ran')), /ENOENT/)
    })
  }
}

test('a yes to the question that names the files allows them as they are, over a restart, until a guest writes again', async () => {
  const { kit, options } = await open({ does: write('a.sh') }, [
    RUN,
    says('ok'),
    RUN,
    says('ok'),
    write('b.sh'),
    says('ok'),
    RUN,
    says('ok'),
  ])
  await using _ = kit
  await kit.run('go', { allow: ['shell'] })
  assert.equal(kit.asked.length, 1)
  assert.match(kit.asked[0]?.summary ?? '', /a\.sh \(bob\)\. To allow this allows them as they are now/)
  kit.newSession()
  delete options.answer
  await kit.run('again', { allow: ['shell'] })
  assert.match(kit.ended()[0]?.output ?? '', /exit code 0/)
  assert.equal(kit.asked.length, 1)
  await kit.run('please', { ...asGuest, allow: ['edit'], ask: async () => ({ answer: 'allow' }) })
  kit.newSession()
  await kit.run('go', { allow: ['shell'] })
  assert.match(kit.asked[1]?.summary ?? '', /files that you have not allowed yet: b\.sh \(bob\)\./)
})

test('a no allows nothing', async () => {
  const { kit, options } = await open({ does: write('a.sh') }, [RUN, RUN, says('ok')])
  await using _ = kit
  options.answer = 'deny'
  await kit.run('go', { allow: ['shell'] })
  assert.equal(kit.asked.length, 2)
})

test('what a guest writes while the person thinks is not allowed with the rest', async () => {
  const { kit, options } = await open({ does: write('a.sh') }, [RUN, RUN, says('ok')])
  await using _ = kit
  options.onAsk = async () => {
    delete options.onAsk
    await kit.guestWrites('b.sh')
  }
  await kit.run('go', { allow: ['shell'] })
  assert.match(kit.ended()[0]?.output ?? '', /another node wrote more here while this was asked/)
  assert.match(kit.asked[1]?.summary ?? '', /allowed yet: b\.sh/)
})

test('a yes does not allow the words that a session read before the guest wrote others over them', async () => {
  const read = calls(['read_file', { path: 'a.sh' }])
  const { kit } = await open({ does: write('a.sh') }, [read, says('ok'), RUN, says('ok'), RUN, says('ok')])
  await using _ = kit
  await kit.run('look', { allow: ['shell'] })
  await kit.guestWrites('a.sh')
  await kit.run('go', { allow: ['shell'] })
  assert.match(kit.asked[0]?.summary ?? '', /allowed yet: a\.sh/)
  assert.match(kit.ended().at(-1)?.output ?? '', /another node wrote more/)
  await kit.run('go', { allow: ['shell'] })
  assert.match(kit.asked[1]?.summary ?? '', /words of another node are in this session/)
})

test('a file of a guest in another workspace lowers the rights of the session that reads it, also through a link', async () => {
  for (const path of ['../work/a.sh', 'link/a.sh']) {
    const { kit } = await open({ does: write('a.sh') }, [calls(['read_file', { path }]), calls(['shell', { command: 'true' }]), says('ok')])
    await using _ = kit
    const workspace = join(kit.workspace, '..', 'mine')
    await mkdir(workspace)
    await symlink('../work', join(workspace, 'link'))
    await kit.run('go', { workspace, allow: ['shell', 'outside'] })
    assert.match(kit.ended()[0]?.output ?? '', /touch ran/)
    assert.match(kit.asked[0]?.summary ?? '', /work\/a\.sh \(bob\)/)
    assert.equal(kit.asked.length, 1)
  }
})

test('a file of a guest that commands cannot see asks nothing elsewhere; where no sandbox hides it, it does', async () => {
  for (const isHidden of [true, false]) {
    const { kit, options } = await open({ does: write('a.sh') }, [calls(['shell', { command: 'true' }]), says('ok')])
    await using _ = kit
    if (!isHidden) options.confinement = { kind: 'none', why: 'none', isRequired: false }
    const workspace = join(kit.workspace, '..', 'mine')
    await mkdir(workspace)
    kit.newSession()
    await kit.run('go', { workspace, allow: ['shell'] })
    assert.equal(kit.asked.length, isHidden ? 0 : 1)
  }
})

test('a guest’s call that changed nothing asks nothing', async () => {
  for (const does of [shell('cat *; true'), calls(['edit', { path: 'a.sh', old_string: 'x', new_string: 'y' }])]) {
    const prepare = async (kit: TurnKit) => {
      await writeFile(from(kit, 'a.sh'), 'true\n')
      await isOld(kit.workspace)
    }
    const { kit } = await open({ prepare, does }, [RUN, says('ok')])
    await using _ = kit
    await kit.run('go', { allow: ['shell'] })
    assert.equal(kit.asked.length, 0)
  }
})

test('a command of a guest that a crash of the node cut counts as having written anything', async () => {
  const kit = await createTurnKit({ script: [RUN, says('ok')], confinement: SANDBOX })
  await using _ = kit
  await kit.guestBegins()
  kit.newSession()
  await kit.run('go', { allow: ['shell'] })
  assert.match(kit.asked[0]?.summary ?? '', /the whole workspace \(bob\)/)
})

test('while a command of a guest runs, a yes is for once', async () => {
  const looks = calls(['shell', { command: 'true' }])
  const kit = await createTurnKit({ script: [looks, looks, says('ok')], confinement: SANDBOX, answer: 'allow' })
  await using _ = kit
  await isOld(kit.workspace)
  await kit.guestBegins()
  await kit.run('go', { allow: ['shell'] })
  assert.match(kit.ended()[0]?.output ?? '', /exit code 0/)
  assert.equal(kit.asked.length, 2)
  assert.match(kit.asked[1]?.summary ?? '', /a command of another node \(bob\) is running here/)
})

test('a list of guests’ files that is damaged counts as naming all files', async () => {
  const kit = await createTurnKit({ script: [RUN, says('ok'), RUN, says('ok')], confinement: SANDBOX, answer: 'allow' })
  await using _ = kit
  await writeFile(join(kit.qmtHome, 'guest_files.json'), '{')
  kit.newSession()
  for (const _turn of [1, 2]) await kit.run('go', { allow: ['shell'] })
  assert.equal(kit.asked.length, 1)
  assert.match(kit.asked[0]?.summary ?? '', /guest_files\.json cannot be read/)
})
