import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const execute = promisify(execFile)
/** Debian's users have no sbin in their PATH. */
const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`

/** Runs a command to its end: its stdout. Throws with the command and its stderr. */
export async function shell(command: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await execute(command, args, { env: { ...process.env, PATH }, maxBuffer: 16_000_000 })
    return stdout
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim() ?? ''
    throw new Error(`${[command, ...args].join(' ')}: ${said || String(error)}`, { cause: error })
  }
}

/** `ip` in a namespace; words are separated by blanks. */
export const ipIn = (namespace: string, words: string): Promise<string> => shell('ip', ['-n', namespace, ...words.split(' ')])

/** nft rules in a namespace, applied as one. */
export const nftIn = (namespace: string, rules: string): Promise<string> => shell('ip', ['netns', 'exec', namespace, 'nft', rules])
