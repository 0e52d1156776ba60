import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'
import process from 'node:process'

/** Where and when figures were taken: without it they mean nothing. */
export interface Machine {
  cpu: string
  cores: number
  memoryGb: number
  os: string
  node: string
  date: string
  /** One-minute load average before the first bench. */
  loadBefore: number
}

export const machine = (): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? 'unknown',
  cores: availableParallelism(),
  memoryGb: Math.round(totalmem() / 2 ** 30),
  os: `${type()} ${release()}`,
  node: process.version,
  date: new Date().toISOString().slice(0, 10),
  loadBefore: Number((loadavg()[0] ?? 0).toFixed(2)),
})

/** Resident memory of a process, in bytes. Linux only; NaN elsewhere. */
export function residentBytes(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+) kB$/m)?.[1] ?? Number.NaN) * 1_024
  } catch {
    return Number.NaN
  }
}

const TICKS_PER_SECOND = 100 // what Linux tells user programs, whatever it counts with

/** Processor time that a process has used, in milliseconds. Linux only; NaN elsewhere. */
export function processorMs(pid: number): number {
  try {
    const [, , ...fields] = readFileSync(`/proc/${pid}/stat`, 'utf8').match(/\((.*)\)|[^\s()]+/g) ?? []
    const [user, system] = [fields[11], fields[12]] // fields 14 and 15 of proc(5)
    return (1_000 * (Number(user) + Number(system))) / TICKS_PER_SECOND
  } catch {
    return Number.NaN
  }
}
