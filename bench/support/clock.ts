import process from 'node:process'

/** Milliseconds of the machine's monotonic clock: the same for all of its processes, so that one may stamp and another subtract. */
export const machineMs = (): number => Number(process.hrtime.bigint()) / 1e6
