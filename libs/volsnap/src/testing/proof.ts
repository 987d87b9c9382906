/** Whether `npm run prove` runs this: then everything, where `npm test` takes a cut. */
export const isProof = process.env['PROOF'] === 'full';
