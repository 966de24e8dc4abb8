import { createApp } from 'vue';
import '../ui/ui.css';
import './fonts.css';
import './app.css';
import App from './App.vue';
import { beginTheme } from './theme';

beginTheme();
createApp(App).mount('#app');
