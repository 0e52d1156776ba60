// Loaded into tests that run beside those of the lab: they, and all that they start, leave the cores to others that have something to do.
import { setPriority } from 'node:os'

const NICE = 10

setPriority(NICE)
