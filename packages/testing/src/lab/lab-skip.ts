import { spawnSync } from 'node:child_process'
import process from 'node:process'

const TOOLS = ['ip', 'nft', 'tc', 'ethtool']
const PACKAGES = 'iproute2 nftables ethtool'
let found: { reason: string | undefined } | undefined

/** Why a lab cannot be built here, for `test(…, { skip: labSkip() })`; undefined where it can. `tools`: further commands that a test needs. */
export function labSkip(...tools: string[]): string | undefined {
  found ??= { reason: reasonAgainst() }
  return found.reason ?? missing(tools)
}

function reasonAgainst(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces are Linux only'
  if (process.getuid?.() !== 0) return 'network namespaces need root'
  const tool = missing(TOOLS)
  if (tool !== undefined) return `${tool} (Debian: ${PACKAGES})`
  const name = `qmt-${process.pid}-probe`
  const added = run('ip', 'netns', 'add', name)
  run('ip', 'netns', 'del', name)
  return added.status === 0 ? undefined : `no network namespace can be made here: ${added.stderr.trim()}`
}

function missing(tools: readonly string[]): string | undefined {
  const lacking = tools.filter((tool) => run('sh', '-c', `command -v ${tool}`).status !== 0)
  return lacking.length > 0 ? `not installed: ${lacking.join(', ')}` : undefined
}

const run = (command: string, ...args: string[]) =>
  spawnSync(command, args, { encoding: 'utf8', env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` } })
