/** What a person sees after all that was written: the lines of a terminal, with those that scrolled away. */
export interface Screen {
  write(text: string): void
  /** Where the cursor stands; 0 is the first line ever. */
  row(): number
  /** From a line on, without trailing blanks and lines. */
  text(fromRow: number): string
}

const SEQUENCE = /\u001b\[([\d;?]*)([@-~])|\u001b[()=>78]?[B0]?|[^]/gu // oxlint-disable-line no-control-regex

/** As much of a terminal as readline and qmtcode use: cursor movement, erasing, wrapping. Colours and modes are not seen. */
export function createScreen(columns: number): Screen {
  const lines: string[][] = [[]]
  let row = 0
  let column = 0

  const line = (at: number): string[] => {
    while (lines.length <= at) lines.push([])
    return lines[at] ?? []
  }
  const put = (char: string): void => {
    if (column >= columns) {
      row += 1
      column = 0
    }
    const cells = line(row)
    while (cells.length < column) cells.push(' ')
    cells[column] = char
    column += 1
  }
  const control: Record<string, (count: number, written: string) => void> = {
    A: (count) => (row = Math.max(0, row - count)),
    B: (count) => (row += count),
    C: (count) => (column = Math.min(columns - 1, column + count)),
    D: (count) => (column = Math.max(0, column - count)),
    G: (count) => (column = count - 1),
    J: (_, written) => {
      if (written !== '' && written !== '0') throw new Error(`this screen cannot erase ${written}J`)
      line(row).splice(column)
      lines.splice(row + 1)
    },
    K: (_, written) => {
      if (written === '' || written === '0') line(row).splice(column)
    },
  }
  return {
    write: (text) => {
      for (const [whole, parameters, final] of text.matchAll(SEQUENCE)) {
        if (final !== undefined) control[final]?.(Number.parseInt(parameters ?? '', 10) || 1, parameters ?? '')
        else if (whole === '\n') row += 1
        else if (whole === '\r') column = 0
        else if (whole === '\b') column = Math.max(0, column - 1)
        else if (whole >= ' ') put(whole)
      }
      line(row)
    },
    row: () => row,
    text: (fromRow) =>
      lines
        .slice(fromRow)
        .map((cells) => cells.join('').trimEnd())
        .join('\n')
        .trimEnd(),
  }
}
