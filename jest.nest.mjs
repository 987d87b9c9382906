// CommonJS Nest packages cannot be required into a half-loaded ESM cycle: load the ESM cores first (ADR 0001).
import 'reflect-metadata';
import '@nestjs/common';
import '@nestjs/core';
