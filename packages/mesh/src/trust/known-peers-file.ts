import { mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { AppError, peerIdSchema, roleSchema, toAppError } from '@qmtcode/protocol'
import { z } from 'zod'
import { errnoOf } from '../identity/identity-file.ts'
import { replaceFile } from '../identity/replace-file.ts'
import { chainSchema, chainsSchema, readChain } from './grant.ts'
import { storedInviteSchema } from './invite-book.ts'
import { meshBanSchema, readBan } from './mesh-ban.ts'
import { earlierSelves } from './rotation.ts'

const entrySchema = z.object({
  /** What its person's admission called it. */
  name: z.string().optional(),
  trust: z.enum(['admitted', 'banned']).optional(),
  /** Its new id, which it signed. Only the first counts: whoever stole the old key is too late. */
  movedTo: peerIdSchema.optional(),
  /** When it signed that: what it signed later counts for nothing. Milliseconds since 1970. */
  movedAt: z.number().optional(),
  role: roleSchema.optional(),
  /** What its person had said before a ban that was lifted: no grant gives it more. */
  atMost: roleSchema.optional(),
  use: z.boolean().optional(),
  addresses: z.array(z.string()).default([]),
  firstSeen: z.number().optional(),
  lastSeen: z.number().optional(),
})
export interface KnownPeerEntry extends z.infer<typeof entrySchema> {}

const fileSchema = z.object({
  version: z.literal(1),
  /** Counts starts, so that directory records of a later start are newer. */
  starts: z.int().nonnegative().default(0),
  peers: z.record(peerIdSchema, entrySchema).default({}),
  /** Configured name → the id that first answered at its address. */
  pins: z.record(z.string(), peerIdSchema).default({}),
  /** Advertised name → the id that first bore it. */
  names: z.record(z.string(), peerIdSchema).default({}),
  /** Meshes that this node joined, by their root. */
  roots: z.array(peerIdSchema).default([]),
  /** This node's grants, by the mesh's root. */
  own: z.record(peerIdSchema, chainSchema).default({}),
  /** Others' grants, verified: a chain a mesh, one after the other. */
  grants: z.record(peerIdSchema, chainsSchema).default({}),
  /** Bans that travel, verified. */
  bans: z.array(meshBanSchema).default([]),
  /** Those that this node made. */
  invites: z.array(storedInviteSchema).default([]),
  /** This node's earlier keys, each signing the next; shown to peers for 30 days. */
  rotations: z.array(z.string().max(1_200)).default([]),
})
export interface KnownPeersContent extends z.infer<typeof fileSchema> {}

export interface KnownPeersFile {
  readonly content: KnownPeersContent
  /** Resolves when `content`, as it is now or later, is on disk. Saves that wait are one write. */
  save(): Promise<void>
}

/** `known_peers.json`. Throws bad_config for a file that is unreadable, corrupt or newer, and leaves it as it is. */
export async function openKnownPeersFile(file: string): Promise<KnownPeersFile> {
  const content = await readKnownPeers(file)
  let writing: Promise<void> = Promise.resolve()
  let next: Promise<void> | undefined
  return {
    content,
    save() {
      next ??= writing.then(() => {
        next = undefined
        writing = write(file, `${JSON.stringify(content, undefined, 2)}\n`)
        return writing
      })
      const saved = next
      // A failed write is its caller's error; the next one tries again.
      writing = saved.catch(() => undefined)
      return saved
    },
  }
}

async function readKnownPeers(file: string): Promise<KnownPeersContent> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return fileSchema.parse({ version: 1 })
    throw new AppError('bad_config', `cannot read ${file}: ${errnoOf(cause) ?? String(cause)}`, { cause, hint: `ls -l ${file}` })
  }
  return parseKnownPeers(file, text)
}

function parseKnownPeers(file: string, text: string): KnownPeersContent {
  const hint = `mend it, or start without its decisions: mv ${file} ${file}.bad`
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new AppError('bad_config', `${file} is corrupt: ${cause instanceof Error ? cause.message : String(cause)}`, { cause, hint })
  }
  const parsed = fileSchema.safeParse(json)
  const unread = parsed.success ? unreadToken(parsed.data) : undefined
  if (unread) throw new AppError('bad_config', `${file} is corrupt at ${unread.place}: ${unread.why}`, { hint })
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new AppError('bad_config', `${file} is corrupt at ${issue?.path.join('.') || 'its top'}: ${issue?.message ?? 'unknown form'}`, {
    cause: parsed.error,
    hint,
  })
}

/** The first statement that cannot be read; whether the others are signed was looked at when they came. */
function unreadToken({ grants, own, bans, rotations }: KnownPeersContent): { place: string; why: string } | undefined {
  const reads: [place: string, read: () => unknown][] = [
    ...Object.entries(grants).map(([id, chain]): [string, () => unknown] => [`grants.${id}`, () => readChain(chain)]),
    ...Object.entries(own).map(([id, chain]): [string, () => unknown] => [`own.${id}`, () => readChain(chain)]),
    ...bans.map((ban, at): [string, () => unknown] => [`bans.${at}`, () => readBan(ban)]),
    ['rotations', () => earlierSelves(rotations)],
  ]
  for (const [place, read] of reads) {
    try {
      read()
    } catch (error) {
      return { place, why: toAppError(error).message }
    }
  }
  return undefined
}

async function write(file: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await replaceFile(file, text)
  } catch (cause) {
    throw new AppError('internal', `cannot write ${file}: ${errnoOf(cause) ?? String(cause)}`, { cause })
  }
}
