// source-image: a workload that is one container of one image.
export { imageSourceType } from './image-source-type.ts';
