import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { generateKeyPair, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { isAppError } from '@qmtcode/protocol'
import { loadIdentity } from './identity-file.ts'

async function inHome(run: (file: string, home: string) => Promise<void>): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'qmt-identity-'))
  try {
    await run(join(home, 'mesh_identity.key'), home)
  } finally {
    await rm(home, { recursive: true })
  }
}

const badConfig = (message: RegExp, hint: RegExp) => (error: unknown) => {
  assert.ok(isAppError(error, 'bad_config'), String(error))
  assert.match(error.message, message)
  assert.match(error.hint ?? '', hint)
  return true
}

test('makes a key once, for its owner only, and finds it again', () =>
  inHome(async (_, home) => {
    const file = join(home, 'new', 'mesh_identity.key')
    const first = await loadIdentity(file)
    const again = await loadIdentity(file)
    assert.ok(first.equals(again))
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    assert.deepEqual(await readdir(join(home, 'new')), ['mesh_identity.key'])
  }))

test('starts at the same time agree on one key', () =>
  inHome(async (file) => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => loadIdentity(file)))
    for (const key of keys) assert.ok(keys[0]?.equals(key))
  }))

test('a key that others may read is an error with the command that mends it', () =>
  inHome(async (file) => {
    await loadIdentity(file)
    await chmod(file, 0o644)
    await assert.rejects(loadIdentity(file), badConfig(/mesh_identity\.key has mode 644/, /^chmod 600 .*mesh_identity\.key$/))
  }))

test('a corrupt key is an error that keeps the file', () =>
  inHome(async (file) => {
    await writeFile(file, 'no key', { mode: 0o600 })
    await assert.rejects(loadIdentity(file), badConfig(/corrupt: 6 bytes/, /mv .*\.bad$/))
    assert.equal(await readFile(file, 'utf8'), 'no key')
  }))

test('a key of another type is an error', () =>
  inHome(async (file) => {
    await writeFile(file, privateKeyToProtobuf(await generateKeyPair('secp256k1')), { mode: 0o600 })
    await assert.rejects(loadIdentity(file), badConfig(/type secp256k1, not Ed25519/, /mv /))
  }))

test('a directory in its place is an error', () =>
  inHome(async (file) => {
    await mkdir(file, { mode: 0o700 })
    await assert.rejects(loadIdentity(file), badConfig(/cannot read the identity file/, /ls -ld/))
  }))
