import './base.css';
import './log.css';
import './ports.css';
