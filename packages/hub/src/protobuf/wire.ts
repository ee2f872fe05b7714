/** The wire format of Protocol Buffers, as far as Kubernetes uses it. */

/** A body that is no message of its kind. The text says at which byte, and what to send instead. */
export class ProtobufError extends Error {
  override readonly name = 'ProtobufError'
}

/** How a field's value is written. */
export const wireType = { varint: 0, fixed64: 1, length: 2, fixed32: 5 } as const

const decoder = new TextDecoder('utf-8', { fatal: true })

/** Reads one message. Every read is bounded by the message's own length. */
export class WireReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #end: number
  #at: number

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#at = start
    this.#end = end
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#end
  }

  tag(): { readonly field: number; readonly wire: number } {
    const [low, high] = this.#varint()
    const field = low >>> 3
    if (high !== 0 || field === 0) throw this.#fault('is no field tag')
    return { field, wire: low & 7 }
  }

  /** A signed 64-bit integer; a `number` where that is exact. */
  int64(): number | bigint {
    const [low, high] = this.#varint()
    if (high === 0) return low
    const value = BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low))
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value
  }

  int32(): number {
    const [low] = this.#varint()
    return low | 0
  }

  bool(): boolean {
    const [low, high] = this.#varint()
    return low !== 0 || high !== 0
  }

  double(): number {
    const start = this.#advance(8)
    return this.#view.getFloat64(start, true)
  }

  bytes(): Uint8Array {
    const [length, high] = this.#varint()
    if (high !== 0) throw this.#fault('has an impossible length')
    const start = this.#advance(length)
    return this.#bytes.subarray(start, start + length)
  }

  string(): string {
    const bytes = this.bytes()
    try {
      return decoder.decode(bytes)
    } catch (cause) {
      throw new ProtobufError(`the text that ends at byte ${this.#at} is not valid UTF-8`, { cause })
    }
  }

  message(): WireReader {
    const [length, high] = this.#varint()
    if (high !== 0) throw this.#fault('has an impossible length')
    const start = this.#advance(length)
    return new WireReader(this.#bytes, start, start + length)
  }

  /** Passes over a field that no table names. */
  skip(wire: number): void {
    if (wire === wireType.varint) this.#varint()
    else if (wire === wireType.fixed64) this.#advance(8)
    else if (wire === wireType.length) this.bytes()
    else if (wire === wireType.fixed32) this.#advance(4)
    else throw this.#fault(`has the unknown wire type ${wire}`)
  }

  /** The low and the high 32 bits. */
  #varint(): readonly [number, number] {
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#end) throw this.#fault('ends in the middle of a number')
      const byte = this.#bytes[this.#at++] ?? 0
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high |= bits >>> 4
      } else high |= bits << (shift - 32)
      if (byte < 0x80) return [low >>> 0, high >>> 0]
    }
    throw this.#fault('holds a number of more than ten bytes')
  }

  #advance(length: number): number {
    const start = this.#at
    if (length > this.#end - start) throw this.#fault('ends before its value does')
    this.#at = start + length
    return start
  }

  #fault(what: string): ProtobufError {
    return new ProtobufError(`the protobuf message ${what} (at byte ${this.#at})`)
  }
}
