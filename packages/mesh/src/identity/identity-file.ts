import { link, mkdir, readFile, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey } from '@libp2p/interface'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { AppError } from '@qmtcode/protocol'
import type { PeerId } from '@qmtcode/protocol'
import { writeBeside } from './replace-file.ts'

const OTHERS = 0o077 // group's and others' rights

/**
 * The node's key from `file` (libp2p protobuf, mode 0600), made when there is none.
 * Two starts at the same time get the same key: the file appears whole, and only once.
 * Throws bad_config for a file that others may read, that cannot be read, or that is no ed25519 key; it never replaces one.
 */
export async function loadIdentity(file: string): Promise<Ed25519PrivateKey> {
  const existing = await readIdentity(file)
  if (existing) return existing
  await createIdentity(file)
  const created = await readIdentity(file)
  if (!created) throw new AppError('bad_config', `identity file ${file} vanished while it was made`)
  return created
}

async function readIdentity(file: string): Promise<Ed25519PrivateKey | undefined> {
  let bytes: Buffer
  try {
    const { mode } = await stat(file)
    if (process.platform !== 'win32' && (mode & OTHERS) !== 0) {
      throw new AppError('bad_config', `identity file ${file} has mode ${(mode & 0o777).toString(8)}: others may use it`, {
        hint: `chmod 600 ${quoted(file)}`,
      })
    }
    bytes = await readFile(file)
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    const code = errnoOf(cause)
    if (code === 'ENOENT') return undefined
    throw new AppError('bad_config', `cannot read the identity file ${file}: ${code ?? String(cause)}`, {
      cause,
      hint: code === 'EACCES' ? `chmod 600 ${quoted(file)}` : `ls -ld ${quoted(file)}`,
    })
  }
  return parseIdentity(file, bytes)
}

function parseIdentity(file: string, bytes: Uint8Array): Ed25519PrivateKey {
  const hint = `restore it from a copy; or, for a new identity: mv ${quoted(file)} ${quoted(`${file}.bad`)}`
  try {
    const key = privateKeyFromProtobuf(bytes)
    if (key.type === 'Ed25519') return key
    throw new AppError('bad_config', `identity file ${file} holds a key of type ${key.type}, not Ed25519`, { hint })
  } catch (cause) {
    if (cause instanceof AppError) throw cause
    throw new AppError('bad_config', `identity file ${file} is corrupt: ${bytes.byteLength} bytes that are no private key`, { cause, hint })
  }
}

/** Writes beside the file and links it into place, which fails when somebody else was first: theirs then counts. */
async function createIdentity(file: string): Promise<void> {
  const key = await generateKeyPair('Ed25519')
  let temporary: string | undefined
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    temporary = await writeBeside(file, privateKeyToProtobuf(key))
    await link(temporary, file)
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST') return
    throw new AppError('bad_config', `cannot create the identity file ${file}: ${errnoOf(cause) ?? String(cause)}`, {
      cause,
      hint: `mkdir -p ${quoted(dirname(file))} && chmod u+rwx ${quoted(dirname(file))}`,
    })
  } finally {
    if (temporary !== undefined) await unlink(temporary).catch(() => undefined)
  }
}

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

const quoted = (path: string): string => (/^[\w./~-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`)

/** The peer id that `file` holds; the same as `loadIdentity` in all else. */
export async function loadPeerId(file: string): Promise<PeerId> {
  return peerIdFromPrivateKey(await loadIdentity(file)).toString() as PeerId
}
