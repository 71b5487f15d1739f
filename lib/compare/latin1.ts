/** Bytes as text, a byte a character. What is kept of them so keeps no buffer alive of which they were a piece. */
export function latin1 (bytes: Uint8Array): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  return buffer.toString('latin1')
}
