import { userInfo } from 'node:os'
import process from 'node:process'

/** The name of the account that runs this process: what the system says, else `$USER`, else the number of the user id, as in containers without accounts. */
export function accountName(env: Readonly<Record<string, string | undefined>> = process.env): string {
  try {
    return userInfo().username
  } catch {
    return env['USER'] || env['LOGNAME'] || String(process.getuid?.() ?? 'unknown')
  }
}
