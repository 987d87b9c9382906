/** A fresh key. `crypto.randomUUID` is missing on plain http in a LAN; `getRandomValues` is not. */
export function uniqueKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
