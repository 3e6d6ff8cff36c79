/** The story page (never part of the bundle): every view with made-up people, chosen by `?story=…`. */
import '@fontsource-variable/inter/index.css';
import '../tokens.css';
import '../base.css';
import { mount } from 'svelte';
import { start } from '../lib/i18n.svelte';
import Story from './Story.svelte';

const target = document.getElementById('app');
if (target) void start().then(() => mount(Story, { target }));
