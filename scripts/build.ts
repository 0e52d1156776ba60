// Writes publishable packages to dist/: JavaScript, types, and a package.json each that points at them. `npm publish dist/<package>` does the rest.
// What is built is what a package's doors, its program and its worker threads reach: tests and their helpers stay here.
import { execFileSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import process from 'node:process'

interface Manifest {
  name: string
  private?: boolean
  bin?: Record<string, string>
  /** Door → its source. */
  exports: Record<string, string>
  devDependencies?: Record<string, string>
}

interface Package {
  from: string
  to: string
  manifest: Manifest
}

const PROGRAM = 'src/main.ts'

await rm('dist', { recursive: true, force: true })
const packages = (await Promise.all(globSync('packages/*').map(readPackage))).filter(({ manifest }) => !manifest.private)
await compile(packages)
for (const each of packages) await finish(each)
process.stdout.write(`built ${packages.map(({ to }) => to).join(', ')}\n`)

async function readPackage(from: string): Promise<Package> {
  const manifest = JSON.parse(await readFile(join(from, 'package.json'), 'utf8')) as Manifest
  return { from, to: join('dist', basename(from)), manifest }
}

async function compile(built: readonly Package[]): Promise<void> {
  const config = join('dist', 'tsconfig.json')
  // By its own path, not through node_modules: the compiler writes nothing for what it finds there.
  const paths = Object.fromEntries(built.flatMap(doorsOf))
  const compilerOptions = { noEmit: false, rootDir: '../packages', outDir: '.', paths }
  await mkdir('dist')
  await writeFile(config, JSON.stringify({ extends: '../tsconfig.json', compilerOptions, include: [], files: built.flatMap(entriesOf) }))
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', config], { stdio: 'inherit' })
  await rm(config)
}

function doorsOf({ from, manifest }: Package): [string, string[]][] {
  return Object.entries(manifest.exports).map(([door, source]) => [join(manifest.name, door), [join('..', from, source)]])
}

function entriesOf({ from, manifest }: Package): string[] {
  const program = manifest.bin ? [PROGRAM] : []
  const workers = globSync('src/**/*-worker.ts', { cwd: from })
  return [...Object.values(manifest.exports), ...program, ...workers].map((file) => join('..', from, file))
}

async function finish({ from, to, manifest }: Package): Promise<void> {
  const { devDependencies: _, ...published } = manifest
  const exports = Object.fromEntries(Object.entries(manifest.exports).map(([door, source]) => [door, builtDoor(to, source)]))
  await writeFile(join(to, 'package.json'), `${JSON.stringify({ ...published, exports }, null, 2)}\n`)
  await copyFile('LICENSE', join(to, 'LICENSE'))
  if (!manifest.bin) return
  await copyFile('README.md', join(to, 'README.md'))
  for (const launcher of Object.values(manifest.bin)) await writeLauncher(join(from, launcher), join(to, launcher))
}

function builtDoor(to: string, source: string): { types: string; default: string } {
  const door = { types: source.replace(/\.ts$/, '.d.ts'), default: source.replace(/\.ts$/, '.js') }
  for (const file of Object.values(door)) if (!existsSync(join(to, file))) throw new Error(`${join(to, file)} was not built`)
  return door
}

/** The launcher starts the source in a clone, the build when published. */
async function writeLauncher(from: string, to: string): Promise<void> {
  const source = await readFile(from, 'utf8')
  if (!source.includes(PROGRAM)) throw new Error(`${from} does not start ${PROGRAM}`)
  await mkdir(join(to, '..'), { recursive: true })
  await writeFile(to, source.replace(PROGRAM, PROGRAM.replace(/\.ts$/, '.js')))
  await chmod(to, 0o755)
}
