import { readFile } from 'node:fs/promises'

/**
 * Whether `known_peers.json` holds a grant, so that this node joined a mesh: read without the network's libraries, by whoever decides whether
 * they are needed. A file that cannot be read counts: whoever opens it says what is wrong with it.
 */
export async function hasJoined(knownPeersFile: string): Promise<boolean> {
  let text: string
  try {
    text = await readFile(knownPeersFile, 'utf8')
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ENOENT')
  }
  try {
    const content: unknown = JSON.parse(text)
    if (typeof content !== 'object' || content === null || !('own' in content)) return false
    return typeof content.own === 'object' && content.own !== null && Object.keys(content.own).length > 0
  } catch {
    return true
  }
}
