import './base.css';
import './ports.css';
