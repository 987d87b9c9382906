// demo: the guestbook of the first start, on which the tour of the README is walked.
export { DEMO_IMAGE, loadDemoImage } from './demo-image.ts';
export { DemoStarter, type DemoOptions } from './demo-starter.ts';
