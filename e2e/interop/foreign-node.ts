import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

/** A libp2p of another language, and how our program on it is built. */
export interface Foreign {
  name: 'go' | 'rust'
  compiler: 'go' | 'cargo'
}

export const FOREIGN: readonly Foreign[] = [
  { name: 'go', compiler: 'go' },
  { name: 'rust', compiler: 'cargo' },
]

const CACHE = fileURLToPath(new URL('../../node_modules/.cache/interop', import.meta.url))
const SOURCE = fileURLToPath(new URL('../../interop', import.meta.url))
const ANSWER_MS = 60_000

/** A running program: one command a line, one answer a line. */
export interface ForeignNode extends AsyncDisposable {
  peerId: string
  address: string
  /** The answer. Rejects with what went wrong over there. */
  ask(...words: string[]): Promise<Answer>
}

const answerSchema = z.object({
  ok: z.boolean(),
  error: z.string().optional(),
  peerId: z.string().optional(),
  addresses: z.array(z.string()).nullish(),
  agent: z.string().optional(),
  protocols: z.array(z.string()).nullish(),
  ms: z.number().optional(),
  bytes: z.number().optional(),
})
type Answer = z.infer<typeof answerSchema>

/** Builds it into `node_modules/.cache`; undefined without its compiler. The first time takes minutes. */
export async function buildForeign({ name, compiler }: Foreign): Promise<{ binary: string } | undefined> {
  if (spawnSync(compiler, ['version']).error) return undefined
  const [args, env, binary] =
    name === 'go'
      ? [['build', '-o', `${CACHE}/qmt-interop-go`, '.'], { GOCACHE: `${CACHE}/gocache` }, `${CACHE}/qmt-interop-go`]
      : [['build', '--locked'], { CARGO_TARGET_DIR: `${CACHE}/rust` }, `${CACHE}/rust/debug/qmt-interop`]
  const build = spawn(compiler, args, { cwd: `${SOURCE}/${name}`, env: { ...process.env, ...env }, stdio: 'inherit' })
  const [code] = (await once(build, 'close')) as [number | null]
  if (code !== 0) throw new Error(`${compiler} ${args.join(' ')} in interop/${name} ended with ${code}`)
  return { binary }
}

export async function startForeign(binary: string, options: { keyFile: string; security: string; listen: string }): Promise<ForeignNode> {
  const child = spawn(binary, [options.keyFile, options.security, options.listen], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<Answer> => {
    const timer = setTimeout(() => child.kill('SIGKILL'), ANSWER_MS)
    const { value, done } = await lines.next()
    clearTimeout(timer)
    if (done === true) throw new Error('the program ended, or did not answer')
    const answer = answerSchema.parse(JSON.parse(value))
    if (!answer.ok) throw new Error(answer.error ?? 'failed')
    return answer
  }
  const { peerId = '', addresses } = await next()
  return {
    peerId,
    address: addresses?.[0] ?? '',
    async ask(...words) {
      child.stdin.write(`${words.join(' ')}\n`)
      return await next()
    },
    async [Symbol.asyncDispose]() {
      const ended = child.exitCode === null ? once(child, 'close') : undefined
      child.kill('SIGKILL')
      await ended
    },
  }
}
