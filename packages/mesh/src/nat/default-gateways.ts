import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { isIPv4 } from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'

const run = promisify(execFile)
const TIMEOUT_MS = 5_000

/** The IPv4 addresses of the routers that this machine sends to what is on none of its networks; none where that cannot be found out. */
export async function defaultGateways(): Promise<string[]> {
  try {
    if (process.platform === 'linux') return gatewaysOfLinux(await readFile('/proc/net/route', 'utf8'))
    if (process.platform === 'win32') return gatewaysOfWindows(await printed(windowsRoute(), ['print', '-4', '0.0.0.0']))
    return gatewaysOfBsd(await printed('/sbin/route', ['-n', 'get', '-inet', 'default']))
  } catch {
    return []
  }
}

const windowsRoute = (): string => join(process.env['SystemRoot'] ?? 'C:\\Windows', 'System32', 'route.exe')
const printed = async (command: string, args: string[]): Promise<string> => (await run(command, args, { timeout: TIMEOUT_MS })).stdout
const only = (found: readonly (string | undefined)[]): string[] =>
  [...new Set(found.filter((text) => text !== undefined && isIPv4(text) && text !== '0.0.0.0'))] as string[]

const IS_UP_AND_GATEWAY = 3

/** Columns: interface, destination, gateway, flags, …, mask at 7; addresses are hexadecimal, their last byte first. */
export function gatewaysOfLinux(table: string): string[] {
  const routes = table.split('\n').map((line) => line.trim().split(/\s+/))
  const defaults = routes.filter(([, to, , flags = '', , , , mask]) => {
    const isUsed = (Number.parseInt(flags, 16) & IS_UP_AND_GATEWAY) === IS_UP_AND_GATEWAY
    return to === '00000000' && mask === '00000000' && isUsed
  })
  return only(defaults.map(([, , gateway = '']) => addressOf(gateway)))
}

function addressOf(hex: string): string | undefined {
  if (!/^[0-9A-Fa-f]{8}$/.test(hex)) return undefined
  return [...Buffer.from(hex, 'hex')].toReversed().join('.')
}

export const gatewaysOfBsd = (text: string): string[] => only([/^\s*gateway: (\S+)$/m.exec(text)?.[1]])

export const gatewaysOfWindows = (text: string): string[] =>
  only([...text.matchAll(/^\s*0\.0\.0\.0\s+0\.0\.0\.0\s+(\S+)/gm)].map(([, gateway]) => gateway))
