import { displayWidth, fit } from './width.ts'

export interface Column<Row> {
  title: string
  value(row: Row): string
  align?: 'right'
  /** May be cut where the terminal is narrow, to no less than this. Absent: never cut. */
  min?: number
  /** Left out where the lines would not fit otherwise, the highest first. Absent: it stays. */
  spare?: number
  /** Colour of a cell, after it was cut and filled. */
  paint?(cell: string, row: Row): string
}

export interface TableOptions {
  /** Columns of the terminal; absent: nothing is cut. */
  width?: number
  /** How the titles look. */
  head?(text: string): string
}

const GAP = 2

/** Aligned lines, the titles first. Columns that are empty in every row are left out. */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], options: TableOptions = {}): string[] {
  const filled = columns.filter((column) => rows.some((row) => column.value(row) !== ''))
  const { shown, widths } = fitted(filled, rows, options.width ?? Infinity)
  const line = (cells: string[]) => cells.join(' '.repeat(GAP)).trimEnd()
  const cell = (column: Column<Row>, index: number, text: string) => pad(fit(text, widths[index] ?? 0), widths[index] ?? 0, column.align)
  const head = line(shown.map((column, index) => cell(column, index, column.title)))
  const body = rows.map((row) =>
    line(
      shown.map((column, index) => {
        const text = cell(column, index, column.value(row))
        return column.paint ? column.paint(text, row) : text
      }),
    ),
  )
  return [options.head ? options.head(head) : head, ...body]
}

/** All columns with their widths; cut, and then with fewer of them, until the lines fit. */
function fitted<Row>(columns: readonly Column<Row>[], rows: readonly Row[], available: number) {
  let shown = columns
  for (;;) {
    const widths = shown.map((column) => Math.max(displayWidth(column.title), ...rows.map((row) => displayWidth(column.value(row)))))
    const isFit = shrink(shown, widths, available)
    const spare = Math.max(...shown.map((column) => column.spare ?? 0))
    if (isFit || spare === 0) return { shown, widths }
    shown = shown.filter((column) => column.spare !== spare)
  }
}

/** Takes from the widest column that may shrink, until all fit or none can; tells whether they do. */
function shrink<Row>(columns: readonly Column<Row>[], widths: number[], available: number): boolean {
  const total = () => widths.reduce((sum, width) => sum + width, 0) + GAP * Math.max(0, widths.length - 1)
  while (total() > available) {
    let widest = -1
    for (const [index, column] of columns.entries()) {
      const width = widths[index] ?? 0
      if (column.min !== undefined && width > column.min && (widest < 0 || width > (widths[widest] ?? 0))) widest = index
    }
    if (widest < 0) return false
    widths[widest] = (widths[widest] ?? 0) - 1
  }
  return true
}

function pad(text: string, width: number, align: 'right' | undefined): string {
  const blanks = ' '.repeat(Math.max(0, width - displayWidth(text)))
  return align === 'right' ? blanks + text : text + blanks
}
