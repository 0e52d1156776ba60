import process from 'node:process'
import { VERSION } from './version.ts'

const INVITE = 'qmt://mesh/join/'

/** The program: ends the process with the command's exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  const [first] = argv
  if (argv.length === 1 && (first === '--version' || first === '-V')) {
    process.stdout.write(`${VERSION}\n`) // scripts ask this often: nothing else is read for it
    return
  }
  if (argv.some((arg) => arg.includes(INVITE))) process.title = 'qmtcode' // takes the place of the arguments in the list of processes
  const [{ runCli }, { systemComponents }] = await Promise.all([import('./cli.ts'), import('./system-components.ts')])
  process.exitCode = await runCli(argv, systemComponents())
}
