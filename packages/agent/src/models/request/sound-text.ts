// oxlint-disable-next-line no-control-regex -- these are what it is about
const CONTROLS = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\u007F-\u009F]/g

/** Text that every server takes: well-formed Unicode, wherever it was cut, and no control characters but tab and line end. */
export const soundText = (text: string): string => text.toWellFormed().replace(CONTROLS, '')

/** The same for every string of a JSON value, its keys too. Depth is bounded where the value came in. */
export function soundValue(value: unknown): unknown {
  if (typeof value === 'string') return soundText(value)
  if (Array.isArray(value)) return value.map(soundValue)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [soundText(key), soundValue(inner)]))
}

export const isBlank = (text: string): boolean => text.trim() === ''
