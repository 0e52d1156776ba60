/** `make`, with its last `max` results kept by name: making a model builds its schemas anew, which costs more than a short call. */
export function keepLatest<Value>(make: (name: string) => Value, max: number): (name: string) => Value {
  const kept = new Map<string, Value>()
  return (name) => {
    const value = kept.get(name) ?? make(name)
    kept.delete(name)
    kept.set(name, value)
    const [oldest] = kept.keys()
    if (kept.size > max && oldest !== undefined) kept.delete(oldest)
    return value
  }
}
