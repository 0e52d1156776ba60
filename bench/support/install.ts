import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import process from 'node:process'
import { fileURLToPath } from 'node:url'

const INSTALL_MS = 120_000

export interface Installed {
  name: string
  /** Directory with the package.json and its lock. */
  home: URL
  /** A file that is there when it is installed. */
  proof: URL
  /** What it takes on disk. */
  bytes: number
  say(line: string): void
}

/** Installs what the lock file of `home` names, once. Resolves with the reason where that is impossible. */
export async function install({ name, home, proof, bytes, say }: Installed): Promise<string | undefined> {
  if (existsSync(proof)) return undefined
  const { bavail, bsize } = await statfs(home)
  if (bavail * bsize < 2 * bytes) return `no room on this disk for ${name}: it takes ${Math.round(bytes / 1e6)} MB`
  say(`installing ${name}`)
  const npm = spawn('npm', ['ci', '--prefix', fileURLToPath(home), '--ignore-scripts'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: INSTALL_MS,
  })
  let errors = ''
  npm.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  try {
    const [code] = (await once(npm, 'close')) as [number | null]
    if (code !== 0) return `npm ci failed (${code ?? 'timeout'}): ${errors.match(/npm error .*/)?.[0] ?? errors.slice(-200)}`
    return existsSync(proof) ? undefined : `${name} is not there for ${process.platform}-${process.arch}`
  } catch (error) {
    return `npm ci failed: ${error instanceof Error ? error.message : String(error)}`
  }
}
