/** Starts the client: look, words, then the page. The meeting itself is a chunk of its own. */
import '@fontsource-variable/inter/index.css';
import './tokens.css';
import './base.css';
import { mount } from 'svelte';
import App from './App.svelte';
import './lib/expose';
import { start } from './lib/i18n.svelte';

const target = document.getElementById('app');
if (target) void start().then(() => mount(App, { target }));
